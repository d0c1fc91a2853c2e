/** Files that only their owner may see: keys, and the folder that they are in. They throw only `MeshError`s. */

import { randomUUID } from 'node:crypto';
import { chmod, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { MeshError } from '../mesh/errors.ts';

/** The file's bytes, or undefined when there is none. Takes rights of others away when there are any. */
export async function readPrivateFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(path);
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
    return bytes;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw notUsable(path, error);
  }
}

/** Writes the whole file with mode 0600: it is there complete and on disk, or not at all. */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}.new`;
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw notUsable(path, error);
  }
}

/** Takes rights of others on the folder away. */
export async function closeFolder(path: string): Promise<void> {
  try {
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o700);
  } catch (error) {
    throw notUsable(path, error);
  }
}

function notUsable(path: string, cause: unknown): MeshError {
  return new MeshError(
    'storage_failed',
    `${path} cannot be used: ${(cause as Error).message}. It must belong to the user who runs the node.`,
    { cause, retryable: false },
  );
}
