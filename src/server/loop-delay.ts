/**
 * How late the server's event loop is: a timer says how much later than asked it fired, which is what any other event at that
 * moment waited too. Started by the first scrape, so that those who do not measure pay nothing; stopped by the app's close.
 *
 * Not `monitorEventLoopDelay` of node:perf_hooks: Deno's does not see a blocked loop, and Node's adds its own resolution.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';

/** Between two samples, in milliseconds: rare enough to cost nothing, often enough for a percentile per minute. */
const sampleEveryMs = 100;

export class LoopDelay {
  readonly #clock: Clock;
  readonly #report: (delayMs: number) => void;
  /** Runs between `start` and `stop`. */
  #cancel: CancelTimer | undefined;
  #stopped = false;

  constructor(clock: Clock, report: (delayMs: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** Idempotent. */
  start(): void {
    if (this.#cancel === undefined && !this.#stopped) this.#arm();
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #arm(): void {
    const dueMs = this.#clock.monotonicMs() + sampleEveryMs;
    this.#cancel = this.#clock.setTimer(sampleEveryMs, () => {
      this.#report(Math.max(0, this.#clock.monotonicMs() - dueMs));
      this.#arm();
    });
  }
}
