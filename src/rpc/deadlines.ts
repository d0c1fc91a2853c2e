/**
 * Many deadlines behind one timer: nearly every call ends long before its own, and a timer each would cost more than the call.
 * The timer is set for the earliest; when it fires, what is due expires and it is set anew. Owned by an endpoint.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';

interface Deadline {
  readonly dueMs: number;
  readonly expire: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #deadlines = new Map<object, Deadline>();
  #firesAtMs = Number.POSITIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `expire` after `delayMs`, unless the owner is deleted before. One deadline per owner. */
  add(owner: object, delayMs: number, expire: () => void): void {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    this.#deadlines.set(owner, { dueMs, expire });
    if (dueMs < this.#firesAtMs) this.#arm(dueMs, delayMs);
  }

  delete(owner: object): void {
    this.#deadlines.delete(owner);
  }

  /** Drops all of them, and the timer. */
  clear(): void {
    this.#deadlines.clear();
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
    for (const [owner, { dueMs, expire }] of this.#deadlines) {
      if (dueMs <= nowMs) {
        this.#deadlines.delete(owner);
        expire();
      } else if (dueMs < nextMs) nextMs = dueMs;
    }
    if (nextMs < this.#firesAtMs) this.#arm(nextMs, Math.max(0, nextMs - nowMs + 0.5));
  }
}
