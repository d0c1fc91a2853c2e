/** A `Clock` that a test turns by hand: nothing happens until `advance` is called. */

import type { Clock } from '../../src/mesh/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** Wall time at which a fake clock begins, in epoch milliseconds. */
export const fakeEpochMs = 1_700_000_000_000;

export class FakeClock implements Clock {
  #elapsedMs = 0;
  #wallOffsetMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs: number = fakeEpochMs) {
    this.#wallOffsetMs = startMs;
  }

  nowMs(): number {
    return this.#wallOffsetMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    const timer = { dueMs: this.#elapsedMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers that are armed: nothing should be left after a close. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets time pass and fires what falls due on the way, in order of time; a timer armed meanwhile may fire too. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      next.fire();
    }
    this.#elapsedMs = untilMs;
  }

  /** Sets the wall clock by hand, as a time server or a person does; monotonic time goes on. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #earliest(untilMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.dueMs <= untilMs && (earliest === undefined || timer.dueMs < earliest.dueMs)) earliest = timer;
    return earliest;
  }
}
