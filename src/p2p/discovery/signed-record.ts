/**
 * Signed peer records: where a peer says it can be reached, in words that only it can have written. Used by the announce file
 * and by the exchange between peers. Source: https://github.com/libp2p/specs/blob/master/RFC/0003-routing-records.md
 */

import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromPublicKey } from '@libp2p/peer-id';
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record';
import type { Multiaddr } from '@multiformats/multiaddr';
import { MeshError } from '../../mesh/errors.ts';
import { dialable } from '../reach/addresses.ts';

/** Addresses of one record that are used; whoever names more wants others to dial for nothing. */
const maxAddresses = 16;

/** What one envelope may measure: sixteen long addresses, a key and a signature fit in several times. */
export const maxEnvelopeBytes = 8 * 1024;

export interface OpenedRecord {
  readonly peerId: string;
  /** Those that this node can dial, each ending in the peer's id. */
  readonly addresses: readonly Multiaddr[];
}

/** The peer's own record of its addresses, as an envelope's bytes. */
export async function sealRecord(privateKey: PrivateKey, addresses: readonly Multiaddr[]): Promise<Uint8Array> {
  const record = new PeerRecord({ peerId: peerIdFromPrivateKey(privateKey), multiaddrs: addresses.map(withoutPeerId) });
  return (await RecordEnvelope.seal(record, privateKey)).marshal();
}

/** Verifies and reads an envelope. Throws `peer_protocol_error` when the peer that it speaks of has not signed it. */
export async function openRecord(envelope: Uint8Array): Promise<OpenedRecord> {
  if (envelope.byteLength > maxEnvelopeBytes) throw refused(`it is ${envelope.byteLength} bytes long`);
  const { peerId, signer, multiaddrs } = await opened(envelope);
  if (peerId !== signer) throw refused(`it speaks of ${peerId}, and ${signer} has signed it`);
  return { peerId, addresses: multiaddrs.slice(0, maxAddresses).flatMap((address) => dialable(address, peerId)) };
}

async function opened(
  envelope: Uint8Array,
): Promise<{ peerId: string; signer: string; multiaddrs: readonly Multiaddr[] }> {
  try {
    const { payload, publicKey } = await RecordEnvelope.openAndCertify(envelope, PeerRecord.DOMAIN);
    const { peerId, multiaddrs } = PeerRecord.createFromProtobuf(payload);
    return { peerId: peerId.toString(), signer: peerIdFromPublicKey(publicKey).toString(), multiaddrs };
  } catch (cause) {
    throw refused('its signature does not fit what it says', cause);
  }
}

function refused(why: string, cause?: unknown): MeshError {
  return new MeshError('peer_protocol_error', `A signed peer record was refused: ${why}. Its addresses are not used.`, {
    cause,
  });
}

/** Records hold bare addresses: whose they are stands beside them. Relayed ones keep the relay's id. */
function withoutPeerId(address: Multiaddr): Multiaddr {
  const last = address.getComponents().at(-1);
  return last?.name === 'p2p' ? address.decapsulate(`/p2p/${last.value}`) : address;
}
