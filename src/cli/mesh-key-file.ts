/** The mesh key's file, for the commands that make or receive a key. */

import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { MeshError } from '../mesh/errors.ts';
import { makeFolder } from '../mesh/own-files.ts';
import { newMeshSecret, readMeshKey, secretOf, writeMeshKey } from '../trust/mesh-key.ts';

type Where = Pick<Settings, 'data' | 'meshKey'>;

export function meshKeyPath({ data, meshKey }: Where): string {
  return meshKey ?? join(data, 'mesh.key');
}

/** The mesh's secret; undefined when there is no key. */
export async function meshSecret(where: Where): Promise<Uint8Array | undefined> {
  const key = await readMeshKey(meshKeyPath(where));
  return key && secretOf(key);
}

/** The mesh's secret, made if there is none. */
export async function ensureMeshSecret(where: Where): Promise<{ secret: Uint8Array; made: boolean }> {
  const there = await meshSecret(where);
  if (there !== undefined) return { secret: there, made: false };
  const secret = newMeshSecret();
  if (await putMeshSecret(where, secret, false)) return { secret, made: true };
  return ensureMeshSecret(where);
}

/** Writes the key's file (0600). False: there is one, and it was to stay. Throws `storage_failed`. */
export async function putMeshSecret(where: Where, secret: Uint8Array, replace: boolean): Promise<boolean> {
  const path = meshKeyPath(where);
  const folder = dirname(path);
  try {
    makeFolder(folder);
    if (folder === where.data) await chmod(folder, 0o700);
    return await writeMeshKey(path, secret, replace);
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError(
      'storage_failed',
      `The mesh key cannot be written: ${why}. Choose another folder with --data.`,
      {
        cause,
      },
    );
  }
}
