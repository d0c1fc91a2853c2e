/**
 * Places by which a node that nobody can dial is reached all the same: reservations on the relays that the operator named.
 * A relay is kept connected by the keeper; here the node asks it for a place as soon as it is, and again when the place or the
 * connection was lost. Made by the node's start. Source: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
 */

import type { IdentifyResult, PeerId, Transport } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import type { Host } from '../libp2p-host.ts';
import { parsePeerId } from './addresses.ts';
import { reasonOf } from './dialer.ts';

const log = getLogger(['taskmesh', 'p2p', 'relay']);

/** libp2p protocol id by which a relay is asked for a place, and to connect. */
export const hopProtocol = '/libp2p/circuit/relay/0.2.0/hop';

const firstRetryMs = 2_000;
const longestRetryMs = 300_000;

/** What libp2p's relay transport knows of its reservations; only what is used here. */
interface ReservationStore extends EventTarget {
  hasReservation(peer: PeerId): boolean;
  getReservation(peer: PeerId): { readonly expire: bigint } | undefined;
  addRelay(peer: PeerId, type: 'configured'): Promise<unknown>;
}

export interface Relay {
  readonly peerId: string;
  readonly address: Multiaddr;
}

/** One configured relay, as `status` shows it. */
export interface RelayView {
  peer_id: string;
  reserved: boolean;
  /** Epoch seconds; the reservation is renewed before. */
  expires_at: number | null;
  /** Empty when reserved. */
  error: string;
}

export interface RelayReservationsOptions {
  host: Host;
  clock: Clock;
  random: () => number;
  relays: readonly Relay[];
}

interface State {
  readonly relay: Relay;
  listening: boolean;
  trying: boolean;
  failures: number;
  error: string;
  cancelTimer: CancelTimer | undefined;
}

export class RelayReservations implements Disposable {
  readonly #options: RelayReservationsOptions;
  readonly #states: ReadonlyMap<string, State>;
  readonly #store: ReservationStore;
  #ended = false;

  constructor(options: RelayReservationsOptions) {
    this.#options = options;
    this.#store = reservationStore(options.host.services.parts.transportManager.getTransports());
    this.#states = new Map(
      options.relays.map((relay) => [
        relay.peerId,
        { relay, listening: false, trying: false, failures: 0, error: 'It is not connected.', cancelTimer: undefined },
      ]),
    );
    if (this.#states.size === 0) return;
    options.host.addEventListener('peer:identify', this.#onIdentify);
    this.#store.addEventListener('relay:removed', this.#onRemoved);
  }

  views(): RelayView[] {
    return [...this.#states.values()].map(({ relay, error }) => {
      const reservation = this.#store.getReservation(parsePeerId(relay.peerId));
      const connected = this.#options.host.getConnections(parsePeerId(relay.peerId)).length > 0;
      return {
        peer_id: relay.peerId,
        reserved: reservation !== undefined,
        expires_at: reservation === undefined ? null : Number(reservation.expire),
        error: reservation !== undefined ? '' : connected ? error : 'It is not connected.',
      };
    });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#options.host.removeEventListener('peer:identify', this.#onIdentify);
    this.#store.removeEventListener('relay:removed', this.#onRemoved);
    for (const { cancelTimer } of this.#states.values()) cancelTimer?.();
  }

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const state = this.#states.get(detail.peerId.toString());
    if (state === undefined) return;
    if (detail.protocols.includes(hopProtocol)) {
      state.failures = 0;
      this.#reserveIn(state, 0);
      return;
    }
    state.error = 'It does not serve as a relay; it has to be started with --relay.';
    log.warn('{peerId} is configured as a relay and does not serve as one. Start it with --relay.', {
      peerId: state.relay.peerId,
    });
  };

  readonly #onRemoved = (): void => {
    for (const state of this.#states.values())
      if (state.listening && !this.#store.hasReservation(parsePeerId(state.relay.peerId)))
        this.#reserveIn(state, firstRetryMs);
  };

  #reserveIn(state: State, delayMs: number): void {
    if (this.#ended) return;
    state.cancelTimer?.();
    state.cancelTimer = this.#options.clock.setTimer(delayMs, () => void this.#reserve(state));
  }

  async #reserve(state: State): Promise<void> {
    const { host, random } = this.#options;
    const { relay } = state;
    const peer = parsePeerId(relay.peerId);
    state.cancelTimer = undefined;
    // Without a connection there is nothing to try: the keeper makes one, and identify comes back here.
    if (state.trying || host.getConnections(peer).length === 0 || this.#store.hasReservation(peer)) return;
    state.trying = true;
    try {
      if (state.listening) await this.#store.addRelay(peer, 'configured');
      else await host.services.parts.transportManager.listen([relay.address.encapsulate('/p2p-circuit')]);
      state.listening = true;
      state.failures = 0;
      log.info('This node can be reached by way of the relay {peerId}.', { peerId: relay.peerId });
    } catch (error) {
      state.failures++;
      state.error = `It gave no place: ${reasonOf(error as Error)}`;
      const ceilingMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(state.failures, 10));
      if (state.failures === 1) log.warn('The relay {peerId} gave no place: {error}', { peerId: relay.peerId, error });
      this.#reserveIn(state, ceilingMs * (0.5 + random() / 2));
    } finally {
      state.trying = false;
    }
  }
}

function reservationStore(transports: readonly Transport[]): ReservationStore {
  for (const transport of transports) {
    const { reservationStore: store } = transport as Partial<{ reservationStore: ReservationStore }>;
    if (store !== undefined) return store;
  }
  throw new Error('the host was built without the relay transport');
}
