/** The node's view of other nodes: the operations `peers`, `connect` and `discover`, and the dialling that they share. */

import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import { inAnnouncedOrder } from '../discovery/announce-file.ts';
import type { PeerBook } from '../discovery/peer-book.ts';
import type { DiscoveryTrace } from '../discovery/trace.ts';
import type { Host } from '../libp2p-host.ts';
import type { Peer } from '../peer-client.ts';
import { targetOf } from '../routing.ts';
import { withDeadline } from '../with-deadline.ts';
import { isLoopback, isRelayed } from './addresses.ts';
import type { Dialer } from './dialer.ts';

export interface NetworkOptions {
  host: Host;
  dialer: Dialer;
  book: PeerBook;
  trace: DiscoveryTrace;
  clock: Clock;
  /** Whether this node serves the peer. */
  serves(peerId: string): boolean;
  /** Why the peer does not serve this node, as it said last. */
  refusalOf(peerId: string): MeshError | undefined;
}

type PeerView = OperationOutput<'peers'>['peers'][number];

export class Network {
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  async connect(input: CheckedInput<'connect'>, signal?: AbortSignal): Promise<OperationOutput<'connect'>> {
    const { host, clock, book } = this.#options;
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
      (stop) => this.connectTo(peer, stop),
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
    const attempts = await this.#options.trace.run(input, signal);
    return { peers: this.#served(), attempts };
  }

  /** Connects if need be, and makes sure that the peer serves this node; answers the address in use. */
  async connectTo({ peerId, addresses }: Peer, signal: AbortSignal): Promise<string> {
    const { host, dialer } = this.#options;
    const connection = await dialer.reach(peerId, addresses, signal);
    const stored = await host.peerStore.get(connection.remotePeer).catch(() => undefined);
    return (
      addressInUse(connection, [...addresses, ...(stored?.addresses ?? []).map(({ multiaddr }) => multiaddr)]) ?? ''
    );
  }

  /** Connected peers, without those of whom is known that they do not serve this node, and without who stands on its porch. */
  #served(): string[] {
    const { host, serves, refusalOf } = this.#options;
    const dialled = new Set(
      host.getConnections().flatMap(({ direction, remotePeer }) => (direction === 'outbound' ? [`${remotePeer}`] : [])),
    );
    const ids = host.getPeers().map(String);
    return ids.filter((id) => refusalOf(id) === undefined && (serves(id) || dialled.has(id)));
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
      const told = (stored?.addresses ?? []).map(({ multiaddr }) => multiaddr);
      const inUse = connection && addressInUse(connection, told);
      const addresses = [...(inUse === undefined ? [] : [inUse]), ...told.map((address) => withPeerId(address, id))];
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

/**
 * The address by which the peer was dialled. One that has dialled this node did so from a port that nobody can dial: then one that
 * it has told, on the same interface if there is any, but none that leads through a relay: the connection does not.
 */
function addressInUse(
  { direction, remoteAddr, remotePeer }: Connection,
  told: readonly Multiaddr[],
): string | undefined {
  const peerId = remotePeer.toString();
  if (direction === 'outbound' || isRelayed(remoteAddr)) return withPeerId(remoteAddr, peerId);
  const hostOf = (address: Multiaddr): string | undefined => address.getComponents()[0]?.value;
  const direct = told.filter((address) => !isRelayed(address) && (isLoopback(remoteAddr) || !isLoopback(address)));
  const usable = inAnnouncedOrder(direct);
  const address = usable.find((each) => hostOf(each) === hostOf(remoteAddr)) ?? usable[0];
  return address && withPeerId(address, peerId);
}

function withPeerId(address: Multiaddr, peerId: string): string {
  const text = address.toString();
  return text.endsWith(`/p2p/${peerId}`) ? text : `${text}/p2p/${peerId}`;
}
