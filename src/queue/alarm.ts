/**
 * One timer for the earliest of many moments of wall time that are on disk: delayed tasks and tasks to be pruned. Called by
 * the engine.
 */

import { getLogger } from '@logtape/logtape';
import type { CancelTimer, Clock } from '../mesh/clock.ts';

const log = getLogger(['taskmesh', 'queue']);

/** Looked at again after at most this, because the wall clock may be set. */
const longestSleepMs = 60_000;

/** After work that failed: the disk may have room again. */
const failedPauseMs = 5_000;

export class Alarm {
  readonly #clock: Clock;
  readonly #work: (nowMs: number) => Promise<number | null>;
  /** Epoch milliseconds; infinity: nothing is known to come. */
  #nextMs = Number.POSITIVE_INFINITY;
  #cancelTimer: CancelTimer | undefined;
  #working = false;
  #stopped = false;

  /** `work` does what is due and answers when there is more, in epoch milliseconds; null: nothing. */
  constructor(clock: Clock, work: (nowMs: number) => Promise<number | null>) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Something falls due then, in epoch milliseconds. */
  notLaterThan(atMs: number): void {
    if (atMs >= this.#nextMs) return;
    this.#nextMs = atMs;
    if (!this.#working) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#stopped || this.#nextMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(this.#nextMs - this.#clock.nowMs(), 0), longestSleepMs);
    this.#cancelTimer = this.#clock.setTimer(delayMs, () => {
      if (this.#nextMs > this.#clock.nowMs()) this.#arm();
      else void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#working = true;
    try {
      do {
        this.#nextMs = Number.POSITIVE_INFINITY;
        const nextMs = await this.#work(this.#clock.nowMs());
        this.#nextMs = Math.min(this.#nextMs, nextMs ?? Number.POSITIVE_INFINITY);
      } while (!this.#stopped && this.#nextMs <= this.#clock.nowMs());
    } catch (thrown) {
      if (!this.#stopped) log.error('Upkeep of the queue failed and will be tried again: {error}', { error: thrown });
      this.#nextMs = this.#clock.nowMs() + failedPauseMs;
    } finally {
      this.#working = false;
    }
    this.#arm();
  }
}
