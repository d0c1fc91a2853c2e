/** A folder in memory, where syncing a file costs nothing: what the same node takes there and on disk differs by the disk's syncs. */

import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Linux mounts a file system in memory here. */
const inMemory = '/dev/shm';

export interface MemoryFolder extends AsyncDisposable {
  readonly path: string;
}

/** Undefined where this machine has none. Dispose of it to remove it. */
export async function makeMemoryFolder(): Promise<MemoryFolder | undefined> {
  try {
    accessSync(inMemory, constants.W_OK);
    const path = await mkdtemp(join(inMemory, 'taskmesh-bench-'));
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
  } catch {
    return undefined;
  }
}
