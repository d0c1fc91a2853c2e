/**
 * The mesh's shared key: nodes without it cannot get past the first bytes of a connection. Read by the node's start, made by
 * `taskmesh init`.
 *
 * The file's format is libp2p's own, so that a key can be shared with other libp2p programs.
 * Source: https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md
 */

import { createHash } from 'node:crypto';
import { MeshError } from '../mesh/errors.ts';
import { readPrivateFile } from './private-file.ts';

const pattern = /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-fA-F]{64}\s*$/;

/** The key file's bytes, or undefined when there is no such file. Throws `data_corrupt`. */
export async function readMeshKey(file: string): Promise<Uint8Array | undefined> {
  const bytes = await readPrivateFile(file);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes).toString('latin1');
  if (pattern.test(text)) return Buffer.from(text.trim());
  throw new MeshError(
    'data_corrupt',
    `The mesh key ${file} is damaged: it is not a libp2p pre-shared key of 256 bits in base16. Copy it again from another machine of the mesh.`,
  );
}

/** A name for the mesh that tells nothing about its key: 24 hex digits. Meshes without a key share one name. */
export function meshName(key: Uint8Array | undefined): string {
  return createHash('sha256')
    .update('taskmesh mesh name\n')
    .update(key ?? 'no key')
    .digest('hex')
    .slice(0, 24);
}
