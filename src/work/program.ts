/** Which program `--exec` means. Called by the command line before the worker starts, so that a typing error shows at once. */

import { isAbsolute, resolve } from 'node:path';
import { MeshError } from '../mesh/errors.ts';

interface ProgramContext {
  /** Relative paths start here. */
  readonly folder: string;
  /** Runs a `.ts` or `.js` file on the runtime that we run on; see `scriptCommand`. */
  readonly scriptCommand: readonly string[];
  exists(path: string): boolean;
}

/**
 * How a script is run by the runtime we run on. Deno gives it its input, its output and what it may read, and nothing else:
 * for more, spell it out, as in `--exec "deno run --allow-net worker.ts"`.
 */
export function scriptCommand(runtime: 'node' | 'deno', execPath: string): string[] {
  if (runtime === 'node') return [execPath];
  return [execPath, 'run', '--quiet', '--no-prompt', '--allow-read', `--allow-env=${taskVariables.join(',')}`];
}

/** What a program learns about its task besides the payload. */
export const taskVariables = [
  'TASKMESH_TASK_ID',
  'TASKMESH_TASK_TYPE',
  'TASKMESH_ATTEMPT',
  'TASKMESH_MODEL_NAME',
] as const;

/**
 * Splits the command as a shell would do with words, quotes and backslashes, and nothing else of a shell; puts the runtime
 * before a script. Throws `invalid_config`.
 */
export function programOf(command: string, { folder, scriptCommand, exists }: ProgramContext): string[] {
  const [program, ...args] = splitWords(command);
  if (program === undefined) {
    throw new MeshError('invalid_config', '--exec is empty. Name a program, as in --exec ./worker.ts');
  }
  const isScript = /\.[cm]?[jt]s$/.test(program);
  // A bare name is found by the system on its PATH.
  if (!isScript && !program.includes('/')) return [program, ...args];
  const path = isAbsolute(program) ? program : resolve(folder, program);
  if (!exists(path)) {
    throw new MeshError('invalid_config', `There is no program at ${path}. Check the path in --exec.`);
  }
  return isScript ? [...scriptCommand, path, ...args] : [path, ...args];
}

function splitWords(command: string): string[] {
  const words: string[] = [];
  const unquoted = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(.)/gs;
  let word: string | undefined;
  for (const [all, single, double, escaped, plain, stray] of command.matchAll(unquoted)) {
    if (stray !== undefined) {
      throw new MeshError('invalid_config', `--exec has a ${stray} without its end: ${command}. Close the quote.`);
    }
    const piece = single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain;
    if (piece !== undefined) word = (word ?? '') + piece;
    else if (all !== '' && word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
