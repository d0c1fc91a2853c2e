/**
 * Where other nodes may be, and one attempt to get to one. Places come from the configuration (multiaddrs, announce files),
 * from mDNS, and from what libp2p remembers. Used by the keeper in the background and by `discover` in the foreground.
 */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import type { Peer } from '../peer-client.ts';
import { parseDialAddress } from '../reach/addresses.ts';
import { withDeadline } from '../with-deadline.ts';
import { readAnnouncement } from './announce-file.ts';
import type { DiscoveryMethod, PeerBook } from './peer-book.ts';

export type Attempt = OperationOutput<'discover'>['attempts'][number];

export interface Place {
  /** The same place is not kept twice. */
  readonly key: string;
  readonly method: DiscoveryMethod;
  /** Who is there now. Announce files are read each time: a node that starts again has another port. */
  resolve(): Promise<Peer>;
}

/** The places that the operator named. Throws `invalid_multiaddr`. */
export function configuredPlaces(bootstrap: readonly string[]): Place[] {
  return bootstrap.map((text) => {
    if (isPath(text)) return { key: text, method: 'announce_file', resolve: () => announcedPeer(text) };
    const { peerId, address } = parseDialAddress(text);
    return { key: text, method: 'bootstrap', resolve: async () => ({ peerId, addresses: [address] }) };
  });
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

export interface AttemptOptions {
  ownPeerId: string;
  clock: Clock;
  book: PeerBook;
  deadlineMs: number;
  signal?: AbortSignal | undefined;
  /** Connects, or answers at once when there is a connection. Answers the address in use. */
  dial(peer: Peer, signal: AbortSignal): Promise<string>;
}

/** Tries one place. Never rejects; undefined when the place is this node itself. */
export async function attempt(place: Place, options: AttemptOptions): Promise<Attempt | undefined> {
  const { clock, deadlineMs, signal, ownPeerId } = options;
  const startedMs = clock.monotonicMs();
  const tried: Attempt = { method: place.method, ok: false, peer_id: '', multiaddr: '', error: '', duration_ms: 0 };
  try {
    tried.multiaddr = await withDeadline(
      { clock, deadlineMs, signal },
      async (stop) => {
        const peer = await place.resolve();
        tried.peer_id = peer.peerId;
        tried.multiaddr = peer.addresses[0]?.toString() ?? '';
        if (peer.peerId === ownPeerId) return '';
        options.book.found(peer.peerId, place.method);
        return options.dial(peer, stop);
      },
      () => new MeshError('timeout', `It did not answer within ${Math.round(deadlineMs)} ms.`),
    );
    if (tried.peer_id === ownPeerId) return undefined;
    tried.ok = true;
  } catch (thrown) {
    const { code, message } = toMeshError(thrown);
    tried.error = `${code}: ${message}`;
  }
  return { ...tried, duration_ms: clock.monotonicMs() - startedMs };
}
