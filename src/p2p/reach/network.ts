/** The node's view of other nodes: the operations `peers`, `connect` and `discover`, and the dialling that they share. */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import type { PeerBook } from '../discovery/peer-book.ts';
import type { DiscoveryTrace } from '../discovery/trace.ts';
import type { Host } from '../libp2p-host.ts';
import type { Peer } from '../peer-client.ts';
import { targetOf } from '../routing.ts';
import { withDeadline } from '../with-deadline.ts';
import type { Dialer } from './dialer.ts';

export interface NetworkOptions {
  host: Host;
  dialer: Dialer;
  book: PeerBook;
  trace: DiscoveryTrace;
  clock: Clock;
}

type PeerView = OperationOutput<'peers'>['peers'][number];

export class Network {
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  async connect(input: CheckedInput<'connect'>, signal?: AbortSignal): Promise<OperationOutput<'connect'>> {
    const { host, dialer, clock, book } = this.#options;
    const peer = targetOf(input);
    if (peer === undefined) {
      throw new MeshError('invalid_params', 'Name the node to connect to: remote_multiaddr, or remote_peer_id.');
    }
    if (peer.peerId === host.peerId.toString()) {
      throw new MeshError('invalid_params', 'The target is this node itself; name another one.');
    }
    const startedMs = clock.monotonicMs();
    const multiaddr = await withDeadline(
      { clock, deadlineMs: input.timeout_s * 1000, signal },
      (stop) => connectTo(dialer, peer, stop),
      () =>
        new MeshError(
          'peer_unreachable',
          `Peer ${peer.peerId} could not be connected to within ${input.timeout_s} s.`,
          {
            details: { peer_id: peer.peerId },
          },
        ),
    );
    book.found(peer.peerId, 'explicit');
    return { peer_id: peer.peerId, multiaddr, duration_ms: clock.monotonicMs() - startedMs };
  }

  /** Looks in every way that there is, in one order. */
  async discover(input: CheckedInput<'discover'>, signal?: AbortSignal): Promise<OperationOutput<'discover'>> {
    const { host, trace } = this.#options;
    const attempts = await trace.run(input, signal);
    return { peers: host.getPeers().map(String), attempts };
  }

  async peers({ connected_only, limit }: CheckedInput<'peers'>): Promise<OperationOutput<'peers'>> {
    const { host, book } = this.#options;
    const known = new Map((await host.peerStore.all()).map((peer) => [peer.id.toString(), peer]));
    known.delete(host.peerId.toString());
    const connections = Map.groupBy(host.getConnections(), ({ remotePeer }) => remotePeer.toString());
    const ids = new Set([...connections.keys(), ...(connected_only ? [] : known.keys())]);
    const peers = [...ids].slice(0, limit).map((id): PeerView => {
      const [connection] = connections.get(id) ?? [];
      const stored = known.get(id);
      const agent = stored?.metadata.get('AgentVersion');
      const addresses = [
        ...(connection ? [connection.remoteAddr.toString()] : []),
        ...(stored?.addresses ?? []).map(({ multiaddr }) => withPeerId(multiaddr.toString(), id)),
      ];
      return {
        peer_id: id,
        protocol: 'mesh',
        connected: connection !== undefined,
        direction: connection?.direction ?? null,
        addresses: [...new Set(addresses)],
        agent: agent === undefined ? null : new TextDecoder().decode(agent).slice(0, 200),
        latency_ms: connection === undefined ? null : (connection.rtt ?? book.latencyMs(id)),
        found_by: book.foundBy(id),
        error: '',
      };
    });
    return { peer_id: host.peerId.toString(), peers };
  }
}

/** Connects if need be; answers the address in use. */
export async function connectTo(dialer: Dialer, peer: Peer, signal: AbortSignal): Promise<string> {
  const connection = await dialer.dial(peer.peerId, peer.addresses, signal);
  return withPeerId(connection.remoteAddr.toString(), peer.peerId);
}

function withPeerId(multiaddr: string, peerId: string): string {
  return multiaddr.endsWith(`/p2p/${peerId}`) ? multiaddr : `${multiaddr}/p2p/${peerId}`;
}
