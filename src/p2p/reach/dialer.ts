/** Dials peers and opens carriage streams, and turns libp2p's errors into the mesh's. Used by links, discovery and `connect`. */

import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { MeshError } from '../../mesh/errors.ts';
import { carriageProtocol } from '../carriage.ts';
import type { Host } from '../libp2p-host.ts';
import { parsePeerId } from './addresses.ts';

/**
 * A connection to the peer: the one that is there, or a new one to the addresses, or to those that libp2p knows of.
 * Rejects with `peer_not_found` or `peer_unreachable`.
 */
export async function dial(
  host: Host,
  peerId: string,
  addresses: readonly Multiaddr[],
  signal: AbortSignal,
): Promise<Connection> {
  const peer = parsePeerId(peerId);
  const open = host.getConnections(peer).find(({ status }) => status === 'open');
  if (open !== undefined) return open;
  try {
    return await host.dial(addresses.length > 0 ? [...addresses] : peer, { signal });
  } catch (cause) {
    throw dialError(peerId, cause as Error);
  }
}

/** A carriage stream to the peer. Rejects as `dial` does, or with `peer_protocol_error` when the peer is no taskmesh node. */
export async function openCarriage(
  host: Host,
  peerId: string,
  addresses: readonly Multiaddr[],
  signal: AbortSignal,
  again = false,
): Promise<Stream> {
  const connection = await dial(host, peerId, addresses, signal);
  try {
    return await connection.newStream(carriageProtocol, { signal });
  } catch (cause) {
    if ((cause as Error).name === 'UnsupportedProtocolError') {
      throw new MeshError(
        'peer_protocol_error',
        `Peer ${peerId} does not speak ${carriageProtocol}: it is no taskmesh node.`,
        { cause, details: { peer_id: peerId } },
      );
    }
    // The connection may have been one whose end had not been noticed yet; then a new one is worth a try.
    if (connection.status !== 'open' && !again && !signal.aborted)
      return openCarriage(host, peerId, addresses, signal, true);
    throw dialError(peerId, cause as Error);
  }
}

function dialError(peerId: string, cause: Error): MeshError {
  const details = { peer_id: peerId };
  if (cause.name === 'NoValidAddressesError') {
    return new MeshError(
      'peer_not_found',
      `No address of peer ${peerId} is known. Name its multiaddr, or let discovery find it first.`,
      { cause, details },
    );
  }
  return new MeshError(
    'peer_unreachable',
    `Peer ${peerId} could not be connected to: ${reasonOf(cause)}. Look whether it runs, then try again.`,
    { cause, details },
  );
}

/** One line that tells people what libp2p found; several addresses may each have failed in their own way. */
export function reasonOf(error: Error): string {
  const errors: Partial<Error>[] = error instanceof AggregateError ? error.errors : [error];
  // Not everything in there is an error with a text.
  const textOf = (one: Partial<Error>): string => one?.message || one?.name || String(one);
  const reasons = new Set(errors.map((one) => textOf(one).split('\n')[0]?.slice(0, 200)));
  return [...reasons].join('; ');
}
