/** Reads systemd units and the command lines in them, for the tests of deployment. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

export const unitFolder = fileURLToPath(new URL('../../deploy/systemd/', import.meta.url));

export interface Unit {
  /** The file's name. */
  readonly name: string;
  /** All values of a directive, in order, without its section: no name stands in two. */
  values(directive: string): readonly string[];
}

/** All units that are delivered. */
export function readUnits(): Unit[] {
  return readdirSync(unitFolder)
    .filter((name) => name.endsWith('.service'))
    .map((name) => {
      const lines = readFileSync(unitFolder + name, 'utf8').split('\n');
      const pairs = lines.flatMap((line) => /^([A-Za-z0-9]+)=(.*)$/.exec(line)?.slice(1, 3) ?? []);
      const byName = new Map<string, string[]>();
      for (let index = 0; index < pairs.length; index += 2) {
        const directive = pairs[index] ?? '';
        byName.set(directive, [...(byName.get(directive) ?? []), pairs[index + 1] ?? '']);
      }
      return { name, values: (directive) => byName.get(directive) ?? [] };
    });
}

export interface Command {
  /** The runtime with its own flags, up to the entrypoint. */
  readonly runtime: readonly string[];
  /** The entrypoint's path in the project. */
  readonly entrypoint: string;
  /** The program's flags by name. */
  readonly flags: ReadonlyMap<string, string>;
}

/** Takes a command line apart: `node entrypoints/node.ts --name value …`. */
export function readCommand(words: readonly string[]): Command {
  const at = words.findIndex((word) => word.endsWith('.ts'));
  const flags = new Map<string, string>();
  const given = words.slice(at + 1);
  for (let index = 0; index < given.length; index += 2) {
    const flag = given[index] ?? '';
    if (!flag.startsWith('--')) throw new Error(`not a flag: ${flag}`);
    flags.set(flag.slice(2), given[index + 1] ?? '');
  }
  // The project's tasks name the runtime by its path.
  const [program = '', ...args] = words.slice(0, at);
  return { runtime: [basename(program), ...args], entrypoint: words[at] ?? '', flags };
}
