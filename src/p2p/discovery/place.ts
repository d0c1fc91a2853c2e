/**
 * Where another node may be. Places come from the configuration (multiaddrs, announce files), from mDNS, the DHT, other peers,
 * and memory. Kept by the keeper in the background, tried by `discover` in the foreground.
 */

import type { Multiaddr } from '@multiformats/multiaddr';
import { MeshError } from '../../mesh/errors.ts';
import type { Peer } from '../peer-client.ts';
import { parseDialAddress } from '../reach/addresses.ts';
import { readAnnouncement } from './announce-file.ts';
import type { DiscoveryMethod } from './peer-book.ts';

export interface Place {
  /** The same place is not kept twice. */
  readonly key: string;
  readonly method: DiscoveryMethod;
  /** Who is there, where that is known without looking. */
  readonly peerId?: string;
  /** And where, if that stays as it was named. */
  readonly address?: Multiaddr;
  /** Somebody wants to know whether this very address leads there, also when the peer is connected by another one. */
  readonly exactly?: boolean;
  /** Who is there now, and where. Asked each time: a node that starts again has another port. */
  resolve(): Promise<Peer>;
}

/** The places that the operator named. Throws `invalid_multiaddr`. */
export function configuredPlaces(bootstrap: readonly string[]): Place[] {
  return bootstrap.map((text) =>
    isPath(text)
      ? { key: text, method: 'announce_file', resolve: () => announcedPeer(text) }
      : addressPlace('bootstrap', text),
  );
}

/** One address that somebody named. Throws `invalid_multiaddr`. */
export function addressPlace(method: DiscoveryMethod, text: string): Place {
  const { peerId, address } = parseDialAddress(text);
  const exactly = method === 'explicit';
  return { key: text, method, peerId, address, exactly, resolve: async () => ({ peerId, addresses: [address] }) };
}

/** A peer that was heard of; `known` answers its newest addresses. */
export function peerPlace(method: DiscoveryMethod, peerId: string, known: () => Peer): Place {
  return { key: peerId, method, peerId, resolve: async () => known() };
}

/** A multiaddr begins with the name of a protocol; anything else is a path. */
function isPath(text: string): boolean {
  return !/^\/(ip4|ip6|dns|dns4|dns6|dnsaddr|p2p|unix)\//.test(text);
}

async function announcedPeer(file: string): Promise<Peer> {
  const { peer_id, multiaddrs } = await readAnnouncement(file);
  const dialable = multiaddrs.flatMap((text) => {
    try {
      return [parseDialAddress(text)];
    } catch {
      return []; // a newer node may announce transports that this one does not have
    }
  });
  if (dialable.length === 0 || dialable.some(({ peerId }) => peerId !== peer_id)) {
    throw new MeshError(
      'invalid_multiaddr',
      `The announce file ${file} names no address of its peer that can be dialled.`,
    );
  }
  return { peerId: peer_id, addresses: dialable.map(({ address }) => address) };
}
