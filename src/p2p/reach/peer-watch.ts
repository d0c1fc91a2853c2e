/**
 * Who is connected: turns libp2p's events into the mesh's, and knows which peers are nodes of the mesh. A peer counts as one
 * when identify has told that it speaks the carriage.
 */

import type { IdentifyResult, PeerId } from '@libp2p/interface';
import type { MeshListener } from '../../mesh/mesh.ts';
import type { PeerBook } from '../discovery/peer-book.ts';
import type { Host } from '../libp2p-host.ts';

/** How long the first measured round trip to a peer may take, in milliseconds. */
const pingDeadlineMs = 3_000;

export interface PeerWatchOptions {
  host: Host;
  book: PeerBook;
  emit: MeshListener;
  /** Whether the node serves the peer: work is taken from, and others are asked for through, such peers alone. */
  serves(peerId: string): boolean;
  /** The last connection to a peer has gone. */
  onLost(peerId: string): void;
}

/** Not new: the peer was there before, and says that something has changed for this node. */
type MeshPeerListener = (peerId: string, isNew: boolean) => void;

export class PeerWatch implements Disposable {
  readonly #options: PeerWatchOptions;
  readonly #joined = new Set<MeshPeerListener>();
  /** Peers that are connected, with the address by which they came first. */
  readonly #connected = new Map<string, string>();
  /** Connected peers that have not said who they are. */
  readonly #unidentified = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #ending = new AbortController();

  constructor(options: PeerWatchOptions) {
    this.#options = options;
    const { host } = options;
    host.addEventListener('peer:connect', this.#onConnect);
    host.addEventListener('peer:disconnect', this.#onDisconnect);
    host.addEventListener('peer:identify', this.#onIdentify);
  }

  isConnected(peerId: string): boolean {
    return this.#connected.has(peerId);
  }

  /** Nodes of the mesh that are connected now. */
  meshPeers(): string[] {
    return [...this.#connected.keys()].filter((peerId) => this.#isMeshPeer(peerId));
  }

  /** Calls back for each node of the mesh that connects, or has other rights for this node, until the returned function is called. */
  onMeshPeer(joined: MeshPeerListener): () => void {
    this.#joined.add(joined);
    return () => void this.#joined.delete(joined);
  }

  /** A peer that was connected before has become one that is served, or says that something has changed over there. */
  served(peerId: string, isNew: boolean): void {
    if (this.#isMeshPeer(peerId)) for (const joined of [...this.#joined]) joined(peerId, isNew);
  }

  /** Resolves when all peers that are connected have said who they are, which takes one round trip. */
  allIdentified(): Promise<void> {
    if (this.#unidentified.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #identified(peerId: string): void {
    this.#unidentified.delete(peerId);
    if (this.#unidentified.size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #isMeshPeer(peerId: string): boolean {
    const { book, serves } = this.#options;
    return this.#connected.has(peerId) && book.speaksCarriage(peerId) && serves(peerId);
  }

  [Symbol.dispose](): void {
    const { host } = this.#options;
    host.removeEventListener('peer:connect', this.#onConnect);
    host.removeEventListener('peer:disconnect', this.#onDisconnect);
    host.removeEventListener('peer:identify', this.#onIdentify);
    this.#ending.abort();
    this.#joined.clear();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  readonly #onConnect = ({ detail }: CustomEvent<PeerId>): void => {
    const [connection] = this.#options.host.getConnections(detail);
    const peerId = detail.toString();
    const multiaddr = connection?.remoteAddr.toString() ?? '';
    this.#connected.set(peerId, multiaddr);
    this.#unidentified.add(peerId);
    this.#options.book.connected(peerId, true);
    this.#options.emit({ type: 'peer', peer_id: peerId, connected: true, multiaddr });
  };

  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    const peerId = detail.toString();
    const multiaddr = this.#connected.get(peerId) ?? '';
    this.#connected.delete(peerId);
    this.#identified(peerId);
    this.#options.book.connected(peerId, false);
    this.#options.onLost(peerId);
    this.#options.emit({ type: 'peer', peer_id: peerId, connected: false, multiaddr });
  };

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const peerId = detail.peerId.toString();
    this.#options.book.identified(peerId, detail.protocols);
    if (this.#isMeshPeer(peerId)) for (const joined of [...this.#joined]) joined(peerId, true);
    this.#identified(peerId);
    void this.#measure(detail.peerId);
  };

  /** libp2p measures every ten seconds by itself; this is for those who look before. */
  async #measure(peer: PeerId): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(pingDeadlineMs)]);
    try {
      this.#options.book.measured(peer.toString(), await this.#options.host.services.ping.ping(peer, { signal }));
    } catch {
      // A peer that does not answer to ping is shown without a latency.
    }
  }
}
