/**
 * The keeper: connects to the places that the node knows, in the background, and connects again when a connection is lost.
 * Waits longer after each failure, at random within bounds, so that many nodes do not knock at once. All timers are its own.
 */

import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import type { Attempt } from '../discovery/attempt.ts';
import type { Place } from '../discovery/place.ts';

const firstDelayMs = 500;
const longestDelayMs = 60_000;

/** A connection that ends sooner than this is counted as a failure, in milliseconds: the peer may not want this node. */
const shortLivedMs = 5_000;

/** Places that are kept; mDNS on a large network may name many. */
const maxPlaces = 256;

export interface KeeperOptions {
  clock: Clock;
  random: () => number;
  isConnected(peerId: string): boolean;
  /** One attempt; undefined when the place is this node itself. */
  attempt(place: Place, signal: AbortSignal): Promise<Attempt | undefined>;
}

export interface KeepOptions {
  /** Failures after which the place is forgotten until it is named again. Default: never. */
  forgetAfter?: number;
}

interface Kept {
  /** As it was named last: mDNS tells new addresses under the same key. */
  place: Place;
  readonly forgetAfter: number;
  peerId: string;
  failures: number;
  /** When the last attempt led to a connection. */
  connectedMs: number | undefined;
  trying: boolean;
  cancelTimer: CancelTimer | undefined;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #stopping = new AbortController();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** All places that are kept. */
  get places(): Place[] {
    return [...this.#kept.values()].map(({ place }) => place);
  }

  /** Connects to the place from now on. Naming it again tries at once if it is not connected. */
  keep(place: Place, { forgetAfter = Number.POSITIVE_INFINITY }: KeepOptions = {}): void {
    if (this.#stopping.signal.aborted) return;
    const known = this.#kept.get(place.key);
    if (known === undefined && this.#kept.size >= maxPlaces) return;
    const kept = known ?? {
      place,
      forgetAfter,
      peerId: place.peerId ?? '',
      failures: 0,
      connectedMs: undefined,
      trying: false,
      cancelTimer: undefined,
    };
    kept.place = place;
    this.#kept.set(place.key, kept);
    this.#schedule(kept, 0);
  }

  /** The last connection to a peer has gone. */
  lost(peerId: string): void {
    for (const kept of [...this.#kept.values()]) {
      if (kept.peerId !== peerId) continue;
      const livedMs = this.#options.clock.monotonicMs() - (kept.connectedMs ?? Number.NEGATIVE_INFINITY);
      kept.connectedMs = undefined;
      kept.failures = livedMs < shortLivedMs ? kept.failures + 1 : 0;
      this.#again(kept);
    }
  }

  /** There is a reason to think that the peer can be had now: its places are tried at once. */
  hurry(peerId: string): void {
    for (const kept of this.#kept.values()) if (kept.peerId === peerId) this.#schedule(kept, 0);
  }

  stop(): void {
    this.#stopping.abort();
    for (const { cancelTimer } of this.#kept.values()) cancelTimer?.();
    this.#kept.clear();
  }

  #schedule(kept: Kept, delayMs: number): void {
    if (kept.trying || this.#stopping.signal.aborted) return;
    kept.cancelTimer?.();
    kept.cancelTimer = this.#options.clock.setTimer(delayMs, () => void this.#try(kept));
  }

  async #try(kept: Kept): Promise<void> {
    kept.cancelTimer = undefined;
    if (kept.trying || (kept.peerId !== '' && this.#options.isConnected(kept.peerId))) return;
    kept.trying = true;
    const tried = await this.#options.attempt(kept.place, this.#stopping.signal);
    kept.trying = false;
    if (this.#stopping.signal.aborted || this.#kept.get(kept.place.key) !== kept) return;
    if (tried === undefined) {
      this.#kept.delete(kept.place.key);
      return;
    }
    if (tried.peer_id !== '') kept.peerId = tried.peer_id;
    if (!tried.ok) {
      kept.failures++;
      this.#again(kept);
      return;
    }
    kept.connectedMs = this.#options.clock.monotonicMs();
    // It may have gone again while the attempt was being told.
    if (!this.#options.isConnected(kept.peerId)) this.lost(kept.peerId);
  }

  #again(kept: Kept): void {
    if (kept.failures >= kept.forgetAfter) this.#kept.delete(kept.place.key);
    else this.#schedule(kept, this.#delayMs(kept.failures));
  }

  #delayMs(failures: number): number {
    const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 10));
    return ceilingMs * (0.5 + this.#options.random() / 2);
  }
}
