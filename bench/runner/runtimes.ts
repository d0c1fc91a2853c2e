/** Where the two runtimes are and how each runs a file: the ones that npm brought, else those on the PATH. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { RuntimeName } from '../suite.ts';
import { pinned } from './pinning.ts';

const brought: Readonly<Record<RuntimeName, string>> = {
  node: fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url)),
  deno: fileURLToPath(new URL('../../node_modules/deno/deno', import.meta.url)),
};
const flags: Readonly<Record<RuntimeName, readonly string[]>> = {
  node: ['--no-warnings'],
  deno: ['run', '--allow-all', '--quiet'],
};

export const currentRuntime: RuntimeName = process.versions.deno === undefined ? 'node' : 'deno';

export const runtimeNames: readonly RuntimeName[] = ['node', 'deno'];

/** The runtime's executable. */
export const executableOf = (runtime: RuntimeName): string =>
  existsSync(brought[runtime]) ? brought[runtime] : runtime;

/** The whole command that runs a file, pinned where processes are pinned. */
export function commandFor(runtime: RuntimeName, file: URL, args: readonly string[]): string[] {
  return pinned('subject', [executableOf(runtime), ...flags[runtime], fileURLToPath(file), ...args]);
}

/** First line of `--version`; undefined when the runtime is not there. */
export function versionOf(runtime: RuntimeName): string | undefined {
  try {
    return execFileSync(executableOf(runtime), ['--version'], { encoding: 'utf8' }).split('\n')[0];
  } catch {
    return undefined;
  }
}
