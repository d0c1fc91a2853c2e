/**
 * `discover`: looks for other nodes in every way, dials whom it finds, and tells each attempt in the order of the ways. The
 * server's tool and the command line's `discover` are both this code in the running node.
 *
 * Places that are known by themselves are tried at once, side by side. The ways that ask connected peers (DHT, exchange)
 * follow when those attempts have ended, or after half of the time, whichever comes first.
 */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { discoveryMethods } from '../../mesh/operations/peers.ts';
import type { CheckedInput } from '../../mesh/operations.ts';
import type { Peer } from '../peer-client.ts';
import { withDeadline } from '../with-deadline.ts';
import { type Attempt, failedAttempt, noAttempt } from './attempt.ts';
import type { MeshDht } from './mesh-dht.ts';
import type { DiscoveryMethod } from './peer-book.ts';
import type { PeerExchange } from './peer-exchange.ts';
import { addressPlace, type Place, peerPlace } from './place.ts';

export interface DiscoveryTraceOptions {
  clock: Clock;
  ownPeerId: string;
  configured: readonly Place[];
  mdns: boolean;
  /** Peers that mDNS has named, and their newest addresses. */
  heardByMdns(): Peer[];
  dht: MeshDht | undefined;
  /** Connected peers that take part in the DHT. */
  dhtPeers(): number;
  exchange: PeerExchange;
  meshPeers(): readonly string[];
  /** Resolves when the connected peers have said who they are. */
  allIdentified(): Promise<void>;
  remembered(): Peer[];
  /** Why a peer does not answer what it was asked: that it does not serve this node, or else what was seen. */
  whyNot(peerId: string, seen: unknown, signal: AbortSignal | undefined): Promise<unknown>;
  /** Tries one place; undefined when it is this node itself. */
  attempt(place: Place, deadlineMs: number, signal: AbortSignal | undefined): Promise<Attempt | undefined>;
}

/** Rows of one trace; a busy network may name many. */
const maxAttempts = 256;

/** How long new connections are waited for to say who is there, in milliseconds. */
const identifyMs = 1_000;

/** Peers that one trace asks whom they know. */
const maxAsked = 16;

type Told = Promise<Attempt[]>;

export class DiscoveryTrace {
  readonly #options: DiscoveryTraceOptions;

  constructor(options: DiscoveryTraceOptions) {
    this.#options = options;
  }

  /** Throws `invalid_multiaddr` for an address that cannot be dialled. */
  async run(input: CheckedInput<'discover'>, signal?: AbortSignal): Promise<Attempt[]> {
    const { clock, configured, mdns, heardByMdns, remembered } = this.#options;
    const fromMs = clock.monotonicMs();
    const left = (): number => Math.max(1, input.timeout_s * 1000 - (clock.monotonicMs() - fromMs));
    const tryAll = (method: DiscoveryMethod, places: readonly Place[], nothing: string): Told =>
      this.#tryAll(method, places, nothing, left(), signal);

    const address = input.remote_multiaddr;
    const explicit = address === '' ? [] : [addressPlace('explicit', address)];
    const files = configured.filter(({ method }) => method === 'announce_file');
    const addresses = configured.filter(({ method }) => method === 'bootstrap');
    const near = heardByMdns();
    const named = new Set([...explicit, ...addresses].map(({ peerId }) => peerId));
    for (const { peerId } of near) named.add(peerId);
    const old = remembered().filter(({ peerId }) => !named.has(peerId));

    const first: Partial<Record<DiscoveryMethod, Told>> = {
      explicit: tryAll('explicit', explicit, 'No address was named.'),
      announce_file: tryAll('announce_file', files, 'No announce file is configured.'),
      bootstrap: tryAll('bootstrap', addresses, 'No address is configured.'),
      mdns: mdns
        ? tryAll('mdns', placesOf('mdns', near), 'No node of this mesh has answered on the local network yet.')
        : Promise.resolve([noAttempt('mdns', 'off', 'mDNS is switched off.')]),
      peer_store: tryAll('peer_store', placesOf('peer_store', old), 'No other node is remembered.'),
    };
    await this.#within(left() / 2, signal, () => Promise.allSettled(Object.values(first)));
    await this.#within(Math.min(identifyMs, left() / 4), signal, () => this.#options.allIdentified());
    const told: typeof first = {
      ...first,
      dht: this.#byDht(left, signal),
      peer_exchange: this.#byExchange(left, signal),
    };
    const rows = await Promise.all(discoveryMethods.map((method) => told[method] ?? []));
    return rows.flat().slice(0, maxAttempts);
  }

  async #tryAll(
    method: DiscoveryMethod,
    places: readonly Place[],
    nothing: string,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Told {
    if (places.length === 0) return [noAttempt(method, 'nothing', nothing)];
    const tried = await Promise.all(places.map((place) => this.#options.attempt(place, deadlineMs, signal)));
    const attempts = tried.filter((each): each is Attempt => each !== undefined);
    return attempts.length > 0 ? attempts : [noAttempt(method, 'nothing', 'Only this node itself is there.')];
  }

  async #byDht(left: () => number, signal: AbortSignal | undefined): Told {
    const { dht, clock, dhtPeers, ownPeerId } = this.#options;
    if (dht === undefined) return [noAttempt('dht', 'off', 'The DHT is switched off.')];
    const asked = dhtPeers();
    if (asked === 0) return [noAttempt('dht', 'nothing', 'No connected peer takes part in the DHT.')];
    const fromMs = clock.monotonicMs();
    const found: Peer[] = [];
    const late = new AbortController();
    const cancelTimer = clock.setTimer(left() / 2, () => late.abort());
    try {
      const stop = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
      for await (const peer of dht.find(stop)) if (peer.peerId !== ownPeerId) found.push(peer);
    } catch (error) {
      return [failedAttempt('dht', '', error, clock.monotonicMs() - fromMs)];
    } finally {
      cancelTimer();
    }
    const nothing = `${asked} connected ${asked === 1 ? 'peer takes' : 'peers take'} part in the DHT; it knows no other node of this mesh.`;
    return this.#tryAll('dht', placesOf('dht', found), nothing, left(), signal);
  }

  async #byExchange(left: () => number, signal: AbortSignal | undefined): Told {
    const { meshPeers, exchange, clock, ownPeerId } = this.#options;
    const asked = meshPeers().slice(0, maxAsked);
    if (asked.length === 0) return [noAttempt('peer_exchange', 'nothing', 'No peer is connected that could be asked.')];
    const failed: Attempt[] = [];
    const heard = new Map<string, Peer>();
    await Promise.all(
      asked.map(async (peerId) => {
        const fromMs = clock.monotonicMs();
        const fail = (thrown: unknown): void =>
          void failed.push(failedAttempt('peer_exchange', peerId, thrown, clock.monotonicMs() - fromMs));
        try {
          const { records, refused } = await exchange.ask(peerId, signal);
          for (const why of refused) fail(new MeshError('peer_protocol_error', why));
          for (const record of records) if (record.peerId !== ownPeerId) heard.set(record.peerId, record);
        } catch (error) {
          fail(await this.#options.whyNot(peerId, error, signal));
        }
      }),
    );
    const places = placesOf('peer_exchange', [...heard.values()]);
    if (places.length === 0 && failed.length > 0) return failed;
    const nothing = `${asked.length} connected ${asked.length === 1 ? 'peer was' : 'peers were'} asked; nobody knows another node.`;
    return [...(await this.#tryAll('peer_exchange', places, nothing, left(), signal)), ...failed];
  }

  /** Goes on when it is done or the time is over; what it waits for goes on by itself. */
  async #within(deadlineMs: number, signal: AbortSignal | undefined, wait: () => Promise<unknown>): Promise<void> {
    const late = new MeshError('timeout', 'The time for this is over.');
    await withDeadline(
      { clock: this.#options.clock, deadlineMs, signal },
      async () => void (await wait()),
      () => late,
    ).catch((error) => {
      if (error !== late) throw error;
    });
  }
}

function placesOf(method: DiscoveryMethod, peers: readonly Peer[]): Place[] {
  return peers.map((peer) => peerPlace(method, peer.peerId, () => peer));
}
