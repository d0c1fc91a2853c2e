/**
 * The mesh's shared key: nodes without it cannot get past the first bytes of a connection. Read by the node's start, made by
 * `taskmesh init` and `taskmesh invite`, handed on by `taskmesh join`.
 *
 * The file's format is libp2p's own, so that a key can be shared with other libp2p programs.
 * Source: https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { link, rename, rm, writeFile } from 'node:fs/promises';
import { MeshError } from '../mesh/errors.ts';
import { readPrivateFile } from './private-file.ts';

const header = '/key/swarm/psk/1.0.0/\n/base16/\n';
const keyBytes = 32;
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

/** The 32 bytes that a key file stands for. */
export function secretOf(keyFile: Uint8Array): Uint8Array {
  return Buffer.from(
    Buffer.from(keyFile)
      .toString('latin1')
      .trim()
      .slice(-2 * keyBytes),
    'hex',
  );
}

/** 32 random bytes. */
export function newMeshSecret(): Uint8Array {
  return randomBytes(keyBytes);
}

/**
 * Writes a key file (0600), whole or not at all: it appears under its name with all its bytes. Answers false, and leaves the one
 * that is there alone, unless it is to be replaced. Rejects with the file system's own errors.
 */
export async function writeMeshKey(file: string, secret: Uint8Array, replace: boolean): Promise<boolean> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, `${header}${Buffer.from(secret).toString('hex')}`, { mode: 0o600, flag: 'wx' });
    if (replace) await rename(temporary, file);
    else await link(temporary, file);
    return true;
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'EEXIST') throw thrown;
    return false;
  } finally {
    await rm(temporary, { force: true });
  }
}
