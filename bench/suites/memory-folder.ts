/** A folder in memory, where syncing a file costs nothing: what the same node takes there and on disk differs by the disk's syncs. */

import { accessSync, constants } from 'node:fs';
import { type BenchFolder, makeBenchFolder } from '../runner/bench-folder.ts';

/** Linux mounts a file system in memory here. */
const inMemory = '/dev/shm';

export type MemoryFolder = BenchFolder;

/** Undefined where this machine has none. Dispose of it to remove it. */
export async function makeMemoryFolder(): Promise<MemoryFolder | undefined> {
  try {
    accessSync(inMemory, constants.W_OK);
    return await makeBenchFolder(inMemory);
  } catch {
    return undefined;
  }
}
