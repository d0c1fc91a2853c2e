/** Folders for the data of one test, under the system's temporary folder. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** The path of a file in the folder. */
  file(name: string): string;
  /** Removes the folder and what is in it. Idempotent. */
  remove(): Promise<void>;
}

/** Makes an empty folder; use it with `await using`, or call `remove`. */
export async function tempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), 'taskmesh-test-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 });
  return { path, file: (name) => join(path, name), remove, [Symbol.asyncDispose]: remove };
}
