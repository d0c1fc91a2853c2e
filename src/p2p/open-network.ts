/**
 * Puts together what finds and reaches other nodes, around a host that is built and does not listen yet. Called by the node's
 * start, which owns the result and closes it.
 */

import type { Connection, PrivateKey, Stream } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../mesh/clock.ts';
import type { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { MeshListener } from '../mesh/mesh.ts';
import { announcementOf, inAnnouncedOrder, removeAnnouncement, writeAnnouncement } from './discovery/announce-file.ts';
import { attempt } from './discovery/attempt.ts';
import { Finder } from './discovery/finder.ts';
import { dhtProtocol, MeshDht, meshCid } from './discovery/mesh-dht.ts';
import { PeerBook } from './discovery/peer-book.ts';
import { PeerExchange } from './discovery/peer-exchange.ts';
import { PeerMemory } from './discovery/peer-memory.ts';
import { addressPlace, configuredPlaces } from './discovery/place.ts';
import { sealRecord } from './discovery/signed-record.ts';
import { DiscoveryTrace } from './discovery/trace.ts';
import type { Host } from './libp2p-host.ts';
import { parseDialAddress } from './reach/addresses.ts';
import { Dialer } from './reach/dialer.ts';
import { DirectUpgrade } from './reach/direct-upgrade.ts';
import { confirmListenAddresses } from './reach/host-addresses.ts';
import { IdleConnections } from './reach/idle-connections.ts';
import { Network } from './reach/network.ts';
import { PeerWatch } from './reach/peer-watch.ts';
import { Reachability } from './reach/reachability.ts';
import { Keeper } from './reach/reconnect.ts';
import { RelayReservations } from './reach/relay-reservations.ts';

const log = getLogger(['taskmesh', 'p2p']);

export interface OpenNetworkOptions {
  host: Host;
  privateKey: PrivateKey;
  /** Name of the mesh, the same on all its nodes. */
  meshName: string;
  bootstrap: readonly string[];
  relays: readonly string[];
  mdns: boolean;
  announceFile: string;
  memoryFile: string;
  limits: Limits;
  clock: Clock;
  random: () => number;
  emit: MeshListener;
  /** Whether the node serves the peer. */
  serves(peerId: string): boolean;
  /** Resolves when the far side of a connection serves this node. Rejects with `unauthorized`. */
  greeted(connection: Connection): Promise<void>;
  /** The same, asked anew unless the connection is new. Rejects when the far side does not answer, too. */
  confirmed(connection: Connection, isNew: boolean): Promise<void>;
  /** Why the peer did not serve this node when it was asked last; undefined: it does, or was not asked. */
  refusalOf(peerId: string): MeshError | undefined;
  /** Why this node does not go to the peer; undefined: it does. */
  shutOut(peerId: string): MeshError | undefined;
  /** Grows with what the peer sends over the carriage. */
  activityOf(peerId: string): number;
  /** The last connection to a peer has gone. */
  onLost(peerId: string): void;
  /** No new requests on these streams; resolves when what was in flight on them has ended. */
  retire(peerId: string, streams: () => readonly Stream[]): Promise<void>;
}

export interface OpenNetwork {
  readonly dialer: Dialer;
  readonly watch: PeerWatch;
  readonly network: Network;
  readonly reachability: Reachability;
  readonly finder: Finder;
  /** Stays connected with a peer that the operator listed with its addresses. */
  keepPlace(peerId: string, addresses: readonly string[]): void;
  /** The host listens: others are told, and looked for. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Rejects with `invalid_multiaddr` for a configured address that cannot be dialled. */
export async function openNetwork(options: OpenNetworkOptions): Promise<OpenNetwork> {
  const { host, limits, clock, random, announceFile } = options;
  const ownPeerId = host.peerId.toString();
  const relays = options.relays.map(parseDialAddress);
  // A relay is a node like others: it is connected to and kept, and then asked for a place.
  const configured = [
    ...configuredPlaces(options.bootstrap),
    ...options.relays
      .filter((text) => !options.bootstrap.includes(text))
      .map((text) => addressPlace('bootstrap', text)),
  ];
  await using opened = new AsyncDisposableStack();
  const memory = await PeerMemory.open({ file: options.memoryFile, clock });
  opened.defer(() => memory.close());
  const book = new PeerBook();
  const watch = opened.use(
    new PeerWatch({
      host,
      book,
      emit: options.emit,
      serves: options.serves,
      onLost(id) {
        options.onLost(id);
        keeper.lost(id);
      },
    }),
  );
  const { greeted, confirmed, refusalOf, serves, shutOut } = options;
  const named = (id: string): Multiaddr[] =>
    configured.flatMap(({ peerId, address }) => (peerId === id && address !== undefined ? [address] : []));
  const known = (id: string): Multiaddr[] => [...named(id), ...finder.addressesOf(id)];
  const dialer = new Dialer({ host, clock, greeted, confirmed, shutOut, known });
  const tryPlace = (deadlineMs: number): Omit<Parameters<typeof attempt>[1], 'signal'> => ({
    ownPeerId,
    clock,
    book,
    deadlineMs,
    async dial(peer, stop, exactly) {
      const [named] = peer.addresses;
      if (!exactly || named === undefined) return network.connectTo(peer, stop);
      await dialer.tryAddress(peer.peerId, named, stop);
      return named.toString();
    },
  });
  const keeper = new Keeper({
    clock,
    random,
    isConnected: (id) => watch.isConnected(id),
    attempt: (place, signal) => attempt(place, { ...tryPlace(limits.dialDeadlineMs), signal }),
  });
  const { dht: kadDht } = host.services;
  const dht = kadDht && new MeshDht(kadDht, await meshCid(options.meshName));
  const meshPeers = (): string[] => watch.meshPeers();
  const exchange = new PeerExchange({ host, clock, meshPeers, serves: options.serves });
  const finder = opened.use(new Finder({ host, clock, random, keeper, watch, exchange, memory, dht }));
  const trace = new DiscoveryTrace({
    clock,
    ownPeerId,
    configured,
    mdns: options.mdns,
    heardByMdns: () => finder.heardBy('mdns'),
    dht,
    dhtPeers: () => book.speaking(dhtProtocol).filter((id) => watch.isConnected(id)).length,
    exchange,
    meshPeers,
    allIdentified: () => watch.allIdentified(),
    remembered: () => memory.peerIds.map((peerId) => ({ peerId, addresses: memory.addressesOf(peerId) })),
    whyNot: (id, seen, signal = new AbortController().signal) =>
      dialer.reach(id, [], signal).then(
        () => seen,
        (error) => (error.code === 'unauthorized' ? error : seen),
      ),
    attempt: (place, deadlineMs, signal) => attempt(place, { ...tryPlace(deadlineMs), signal }),
  });
  const network = new Network({ host, dialer, book, trace, clock, refusalOf, serves });
  const isMeshPeer = (id: string): boolean => meshPeers().includes(id);
  const { activityOf } = options;
  opened.use(new IdleConnections({ host, clock, idleMs: limits.connectionIdleMs, isMeshPeer, activityOf }));
  opened.use(new DirectUpgrade({ host, clock, random, dialer, retire: options.retire }));
  const reservations = opened.use(new RelayReservations({ host, clock, random, relays }));
  const { maxRelayReservations } = limits;
  // libp2p leaves the timers of the places that a relay has given running, and on Deno they keep the process alive.
  opened.defer(() => {
    for (const { signal } of host.services.relay?.reservations.values() ?? []) signal.clear();
  });

  const announce = async (): Promise<void> => {
    const addresses = inAnnouncedOrder(host.getMultiaddrs());
    const record = await sealRecord(options.privateKey, addresses);
    const announced = announcementOf(ownPeerId, addresses.map(String), record);
    if (announced !== undefined) await writeAnnouncement(announceFile, announced);
  };
  const announceAgain = (): void => {
    // One after the other: the newest is to be what stays.
    announcing = announcing.then(announce).catch((error) => {
      log.warn('The announce file could not be renewed: {error}', { error });
    });
  };
  let announcing: Promise<void> = Promise.resolve();

  const open = opened.move();
  return {
    dialer,
    watch,
    network,
    reachability: new Reachability({ host, clock, reservations, maxRelayReservations }),
    finder,
    keepPlace(peerId, texts) {
      const addresses = texts.map((text) => parseDialAddress(text).address);
      keeper.keep({
        key: `listed ${peerId}`,
        method: 'bootstrap',
        peerId,
        resolve: async () => ({ peerId, addresses }),
      });
    },
    async start() {
      confirmListenAddresses(host.services.parts);
      await exchange.serve();
      open.defer(async () => {
        await announcing;
        await removeAnnouncement(announceFile, ownPeerId);
      });
      await announce();
      host.addEventListener('self:peer:update', announceAgain);
      open.defer(() => host.removeEventListener('self:peer:update', announceAgain));
      open.defer(() => keeper.stop());
      for (const place of configured) keeper.keep(place);
      finder.start();
    },
    close: () => open.disposeAsync(),
  };
}
