/** Counts what a peer sends: so many a second, and so many saved up. */

import type { Clock } from '../mesh/clock.ts';

export class TokenBucket {
  readonly #perMs: number;
  readonly #capacity: number;
  readonly #clock: Clock;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, capacity: number, clock: Clock) {
    this.#perMs = perSecond / 1000;
    this.#capacity = capacity;
    this.#clock = clock;
    this.#tokens = capacity;
    this.#atMs = clock.monotonicMs();
  }

  /** Takes one; false when there is none. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes that many, whether they are there or not: what is missing is owed. */
  spend(count: number): void {
    this.#refill();
    this.#tokens -= count;
  }

  /** Whether nothing was taken for so long that all is saved up again. */
  get isFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#capacity;
  }

  /** How long until nothing is owed any more, in milliseconds. */
  get debtMs(): number {
    if (this.#tokens >= 0) return 0;
    this.#refill();
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#capacity, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
  }
}
