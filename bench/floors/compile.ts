/** Compiles the floors in C, where there is a compiler. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('./ping-pong.c', import.meta.url));

/** Answers the executable, or undefined when there is no compiler or none that can compile it here (the futex is Linux's). */
export async function compileFloor(folder: string): Promise<string | undefined> {
  const executable = join(folder, 'ping-pong');
  try {
    await promisify(execFile)('cc', ['-O2', '-pthread', '-o', executable, source]);
    return executable;
  } catch {
    return undefined;
  }
}
