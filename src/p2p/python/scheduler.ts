/** What Python workers tell of themselves, and what they are told of others: a clock, and who was seen lately. Decides nothing. */

import type { Clock } from '../../mesh/clock.ts';
import { type ClockReading, MerkleClock } from './merkle-clock.ts';

/** How long a peer counts as there, in milliseconds: what Python nodes use. */
const seenMs = 300_000;

/** Peers that are remembered; names come from outside. The one seen longest ago is forgotten first. */
const maxPeers = 256;
const maxNameLength = 200;

export interface SchedulerView {
  readonly clock: ClockReading;
  readonly known_peers: string[];
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #counts: MerkleClock;
  readonly #seenAtMs = new Map<string, number>();

  constructor(nodeId: string, clock: Clock) {
    this.#clock = clock;
    this.#counts = new MerkleClock(nodeId);
  }

  /** A peer showed itself, by a name of its own choice, maybe with its clock. */
  saw(name: string, clock: Readonly<Record<string, unknown>> | undefined): void {
    const { vector } = clock ?? {};
    if (typeof vector === 'object' && vector !== null) this.#counts.merge(vector as Record<string, unknown>);
    if (name === '' || name.length > maxNameLength) return;
    this.#seenAtMs.delete(name);
    this.#seenAtMs.set(name, this.#clock.monotonicMs());
    const [oldest] = this.#seenAtMs.keys();
    if (this.#seenAtMs.size > maxPeers && oldest !== undefined) this.#seenAtMs.delete(oldest);
  }

  view(): SchedulerView {
    const fromMs = this.#clock.monotonicMs() - seenMs;
    for (const [name, atMs] of this.#seenAtMs) if (atMs < fromMs) this.#seenAtMs.delete(name);
    return { clock: this.#counts.read(), known_peers: [...this.#seenAtMs.keys()] };
  }
}
