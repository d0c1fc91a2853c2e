/**
 * Where the two runtimes are, and how each runs a file. Used by `test/run.ts`.
 * The runtime that asks is taken as it is; the other one is the executable that npm brought.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const runtimes = ['node', 'deno'] as const;
export type Runtime = (typeof runtimes)[number];

export const currentRuntime: Runtime = process.versions.deno === undefined ? 'node' : 'deno';

/** The folder that holds package.json. */
export const rootFolder = fileURLToPath(new URL('../..', import.meta.url));

const binFolder = path.join(rootFolder, 'node_modules', '.bin');

function executableOf(runtime: Runtime): string {
  if (runtime === currentRuntime) return process.execPath;
  const brought =
    process.platform === 'win32'
      ? path.join(rootFolder, 'node_modules', runtime, runtime === 'node' ? 'bin/node.exe' : 'deno.exe')
      : path.join(binFolder, runtime);
  return existsSync(brought) ? brought : runtime;
}

/** The command line that runs one TypeScript file with everything allowed. */
export function commandFor(runtime: Runtime, file: string): { executable: string; args: string[] } {
  const args = runtime === 'node' ? [file] : ['run', '--allow-all', '--quiet', file];
  return { executable: executableOf(runtime), args };
}

/**
 * The environment of a test file: this process's own, without taskmesh's settings (a developer's `TASKMESH_DATA` must not
 * leak into a test), without colours (the summary is parsed), with the npm-brought runtimes first, and with its own temporary folder.
 */
export function environmentFor(temporaryFolder: string): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TASKMESH_|FORCE_COLOR$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    NO_COLOR: '1',
    PATH: [binFolder, process.env.PATH].filter(Boolean).join(path.delimiter),
    TMPDIR: temporaryFolder,
    TEMP: temporaryFolder,
    TMP: temporaryFolder,
  };
}
