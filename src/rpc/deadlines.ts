/**
 * Many deadlines behind one timer: nearly every call ends long before its own, and a timer each would cost more than the call.
 * The timer is set for the earliest; when it fires, what is due expires and it is set anew. Owned by an endpoint.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';

/** What has a deadline. It is its own entry: an object for each beside it would be garbage of nearly every call. */
export interface Expiring {
  /** Set by `add`, on the clock's monotonic time. */
  dueMs: number;
  expire(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #waiting = new Set<Expiring>();
  #firesAtMs = Number.POSITIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has it expire after `delayMs`, unless it is deleted before. */
  add(owner: Expiring, delayMs: number): void {
    owner.dueMs = this.#clock.monotonicMs() + delayMs;
    this.#waiting.add(owner);
    if (owner.dueMs < this.#firesAtMs) this.#arm(owner.dueMs, delayMs);
  }

  delete(owner: Expiring): void {
    this.#waiting.delete(owner);
  }

  /** Drops all of them, and the timer. */
  clear(): void {
    this.#waiting.clear();
    this.#cancelTimer?.();
    this.#firesAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(dueMs: number, delayMs: number): void {
    this.#cancelTimer?.();
    this.#firesAtMs = dueMs;
    this.#cancelTimer = this.#clock.setTimer(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#firesAtMs = Number.POSITIVE_INFINITY;
    // A timer may be early by less than it can tell; half a millisecond is nobody's deadline.
    const nowMs = this.#clock.monotonicMs() + 0.5;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const owner of this.#waiting) {
      if (owner.dueMs <= nowMs) {
        this.#waiting.delete(owner);
        owner.expire();
      } else if (owner.dueMs < nextMs) nextMs = owner.dueMs;
    }
    if (nextMs < this.#firesAtMs) this.#arm(nextMs, Math.max(0, nextMs - nowMs + 0.5));
  }
}
