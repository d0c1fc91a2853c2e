/** A folder for a run. It is gone with the run, also when that is given up at once, as by a second Ctrl-C. */

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export interface BenchFolder extends AsyncDisposable {
  readonly path: string;
}

/** Under `parent`. Dispose of it to remove it. */
export async function makeBenchFolder(parent = tmpdir()): Promise<BenchFolder> {
  const path = await mkdtemp(join(parent, 'taskmesh-bench-'));
  const removeNow = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', removeNow);
  return {
    path,
    async [Symbol.asyncDispose]() {
      process.off('exit', removeNow);
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
