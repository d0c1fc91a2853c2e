/**
 * Finds other nodes in the background: hears of peers by mDNS, from peers, from the DHT and from memory, and gives the keeper
 * the places to connect to. Made by the node's start; `discover` shows what it has heard.
 */

import type { PeerUpdate } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import type { Host } from '../libp2p-host.ts';
import type { Peer } from '../peer-client.ts';
import { isRelayed, parsePeerId } from '../reach/addresses.ts';
import type { PeerWatch } from '../reach/peer-watch.ts';
import type { Keeper } from '../reach/reconnect.ts';
import type { MeshDht } from './mesh-dht.ts';
import type { DiscoveryMethod } from './peer-book.ts';
import type { PeerExchange } from './peer-exchange.ts';
import type { PeerMemory } from './peer-memory.ts';
import { peerPlace } from './place.ts';

const log = getLogger(['taskmesh', 'p2p', 'discovery']);

/** Failures after which a peer that was heard of is not dialled again until it is heard of again. */
const heardFailures = 5;

/** A remembered one may only be slow to come back after a power cut: about ten minutes. */
const rememberedFailures = 14;

/** Peers that were heard of and are kept in mind; of those that are not connected, the first is forgotten. */
const maxHeard = 256;

/** Connections beyond which nobody is dialled only because others told of him. Configured nodes and mDNS go on. */
const maxFoundPeers = 64;

/** After somebody joined, and then again and again, others are asked; in milliseconds. */
const soonMs = 500;
const everyMs = 300_000;

/** Times in a row that nobody hears before the node waits for the next one who joins: about half a minute. */
const maxUntold = 6;

/** What one round through the DHT may take, in milliseconds. */
const dhtMs = 15_000;

export interface FinderOptions {
  host: Host;
  clock: Clock;
  random: () => number;
  keeper: Keeper;
  watch: PeerWatch;
  exchange: PeerExchange;
  memory: PeerMemory;
  dht: MeshDht | undefined;
}

interface Heard {
  addresses: readonly Multiaddr[];
  readonly methods: Set<DiscoveryMethod>;
}

export class Finder implements Disposable {
  readonly #options: FinderOptions;
  readonly #heard = new Map<string, Heard>();
  readonly #ending = new AbortController();
  readonly #stopWatching: () => void;
  #cancelTimer: CancelTimer | undefined;
  #lookingByDht = false;
  /** Times in a row that the DHT was told of this node and nobody heard it. */
  #untold = 0;

  constructor(options: FinderOptions) {
    this.#options = options;
    this.#stopWatching = options.watch.onMeshPeer((peerId, isNew) => {
      if (isNew) this.#joined(peerId);
    });
    options.host.addEventListener('peer:update', this.#onUpdate);
  }

  /** Goes to those that were met before the last stop. */
  start(): void {
    const { memory, keeper } = this.#options;
    for (const peerId of memory.peerIds)
      keeper.keep(
        peerPlace('peer_store', peerId, () => this.#peer(peerId)),
        { forgetAfter: rememberedFailures },
      );
    this.#lookLater(everyMs);
  }

  /** Somebody told of a peer. It is connected to unless there are enough connections. */
  hear(method: DiscoveryMethod, { peerId, addresses }: Peer): void {
    const { host, keeper, watch } = this.#options;
    if (peerId === host.peerId.toString() || this.#ending.signal.aborted) return;
    const heard = this.#heard.get(peerId) ?? { addresses, methods: new Set() };
    if (addresses.length > 0) heard.addresses = addresses;
    heard.methods.add(method);
    this.#heard.set(peerId, heard);
    if (this.#heard.size > maxHeard) this.#forgetOne();
    if (watch.isConnected(peerId)) return;
    if (method !== 'mdns' && host.getPeers().length >= maxFoundPeers) return;
    keeper.keep(
      peerPlace(method, peerId, () => this.#peer(peerId)),
      { forgetAfter: heardFailures },
    );
  }

  /** Goes to a peer that is welcome now, where it was heard of or met before. */
  seek(peerId: string): void {
    const { keeper } = this.#options;
    keeper.hurry(peerId);
    if (this.addressesOf(peerId).length === 0 || this.#ending.signal.aborted) return;
    keeper.keep(
      peerPlace('peer_store', peerId, () => this.#peer(peerId)),
      { forgetAfter: rememberedFailures },
    );
  }

  /** Peers that were heard of in this way since the start. */
  heardBy(method: DiscoveryMethod): Peer[] {
    return [...this.#heard].filter(([, { methods }]) => methods.has(method)).map(([peerId]) => this.#peer(peerId));
  }

  /** All addresses by which the peer was heard of, now and before. */
  addressesOf(peerId: string): readonly Multiaddr[] {
    return [...(this.#heard.get(peerId)?.addresses ?? []), ...this.#options.memory.addressesOf(peerId)];
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    this.#cancelTimer?.();
    this.#stopWatching();
    this.#options.host.removeEventListener('peer:update', this.#onUpdate);
  }

  #peer(peerId: string): Peer {
    return { peerId, addresses: this.addressesOf(peerId) };
  }

  /** A node of the mesh is connected and has said who it is. */
  #joined(peerId: string): void {
    void this.#remember(peerId);
    void this.#ask(peerId);
    this.#lookLater(soonMs);
  }

  /** The peer has told new addresses: another port, a relay. */
  readonly #onUpdate = ({ detail }: CustomEvent<PeerUpdate>): void => {
    const peerId = detail.peer.id.toString();
    if (this.#options.watch.meshPeers().includes(peerId)) void this.#remember(peerId);
  };

  async #remember(peerId: string): Promise<void> {
    const { host, memory } = this.#options;
    const stored = await host.peerStore.get(parsePeerId(peerId)).catch(() => undefined);
    const certified = (stored?.addresses ?? [])
      .filter(({ isCertified }) => isCertified)
      .map(({ multiaddr }) => multiaddr);
    const dialled = host
      .getConnections(parsePeerId(peerId))
      .filter(({ direction }) => direction === 'outbound')
      .map(({ remoteAddr }) => remoteAddr);
    const once = new Map([...dialled, ...certified].map((address) => [address.toString(), address]));
    // Relays come and go; where the peer was reached directly is worth more.
    memory.seen(
      peerId,
      [...once.values()].sort((a, b) => Number(isRelayed(a)) - Number(isRelayed(b))),
    );
  }

  async #ask(peerId: string): Promise<void> {
    try {
      const { records, refused } = await this.#options.exchange.ask(peerId, this.#ending.signal);
      for (const why of refused)
        log.warn('Peer {peerId} told of a peer that it may not speak for: {why}', { peerId, why });
      for (const record of records) this.hear('peer_exchange', record);
    } catch (error) {
      log.debug('Peer {peerId} did not tell whom it knows: {error}', { peerId, error });
    }
  }

  #lookLater(delayMs: number): void {
    if (this.#ending.signal.aborted) return;
    this.#cancelTimer?.();
    const spreadMs = delayMs * (0.5 + this.#options.random() / 2);
    this.#cancelTimer = this.#options.clock.setTimer(spreadMs, () => {
      void this.#lookByDht();
      this.#lookAgain();
    });
  }

  /** Once in a while: somebody may have come whom this node could reach, and who cannot reach this node. */
  #lookAgain(): void {
    this.#cancelTimer = this.#options.clock.setTimer(everyMs * (0.5 + this.#options.random() / 2), () => {
      const { watch } = this.#options;
      for (const peerId of watch.meshPeers().slice(0, 8)) void this.#ask(peerId);
      this.start();
      void this.#lookByDht();
    });
  }

  async #lookByDht(): Promise<void> {
    const { dht, clock } = this.#options;
    if (dht === undefined || this.#lookingByDht) return;
    this.#lookingByDht = true;
    const late = new AbortController();
    const cancelTimer = clock.setTimer(dhtMs, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#ending.signal]);
    let told = 0;
    try {
      for await (const peer of dht.find(signal)) this.hear('dht', peer);
      told = await dht.provide(signal);
    } catch (error) {
      log.debug('The DHT could not be asked: {error}', { error });
    } finally {
      cancelTimer();
      this.#lookingByDht = false;
    }
    // The DHT takes a peer in when it has pinged it: at first there may be nobody to tell.
    this.#untold = told > 0 ? 0 : this.#untold + 1;
    if (this.#untold > 0 && this.#untold <= maxUntold && this.#options.watch.meshPeers().length > 0)
      this.#lookLater(soonMs * 2 ** this.#untold);
  }

  #forgetOne(): void {
    for (const peerId of this.#heard.keys()) {
      if (this.#options.watch.isConnected(peerId)) continue;
      this.#heard.delete(peerId);
      return;
    }
  }
}
