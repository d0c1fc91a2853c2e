/**
 * Who the node is: an Ed25519 key in `node.key`, made at the first start and kept. Used by the node's start, and by
 * `taskmesh invite` for a node that does not run.
 *
 * The file holds libp2p's private key message as base64 text. Its public half is derived again and compared, so that a
 * flipped bit is found at start and not by peers who cannot verify the node.
 */

import {
  generateKeyPair,
  generateKeyPairFromSeed,
  privateKeyFromProtobuf,
  privateKeyToProtobuf,
} from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { MeshError } from '../mesh/errors.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';

/** Ed25519 (RFC 8032): the first 32 bytes of libp2p's raw private key are the seed. */
const seedBytes = 32;

/** Reads the key or makes it. Throws `data_corrupt` with what to do. */
export async function loadIdentity(file: string): Promise<Ed25519PrivateKey> {
  const bytes = await readPrivateFile(file);
  if (bytes !== undefined) return decode(bytes, file);
  const key = await generateKeyPair('Ed25519');
  await writePrivateFile(file, Buffer.from(`${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`));
  return key;
}

/** The peer id of the identity in the file; it is made if need be. */
export async function ownPeerId(file: string): Promise<string> {
  return peerIdFromPrivateKey(await loadIdentity(file)).toString();
}

async function decode(bytes: Uint8Array, file: string): Promise<Ed25519PrivateKey> {
  try {
    const key = privateKeyFromProtobuf(Buffer.from(Buffer.from(bytes).toString('latin1').trim(), 'base64'));
    if (key.type !== 'Ed25519') throw new Error(`it holds a key of type ${key.type}`);
    const again = await generateKeyPairFromSeed('Ed25519', key.raw.subarray(0, seedBytes));
    if (!again.publicKey.equals(key.publicKey)) throw new Error('its two halves do not belong together');
    return key;
  } catch (cause) {
    throw new MeshError(
      'data_corrupt',
      `The node’s identity ${file} is damaged: ${(cause as Error).message}. Put back a copy of it; or delete it, and the node gets a new ` +
        'peer id: peers and tasks that name the old one will not find it any more.',
      { cause },
    );
  }
}
