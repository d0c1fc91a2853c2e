/**
 * The leases that are held, on the monotonic clock. Called by the engine after each commit; calls back when a lease or an
 * attempt has run out of time. Holds one entry per running task, so `maxTasks` bounds it.
 */

import type { Clock } from '../mesh/clock.ts';
import { Deadlines } from './deadlines.ts';
import type { TaskRow } from './task-row.ts';

/** How long an expiry that the disk refused waits to be tried again. */
const refusedPauseMs = 1_000;

/** What ran out, as it was when it did. */
export interface Expiry {
  readonly id: string;
  readonly fence: number;
  /** Of the last heartbeat: a newer one in the row means that the lease was renewed meanwhile. */
  readonly heartbeatAtMs: number | null;
  readonly cause: 'lease' | 'attempt';
  readonly leaseMs: number;
}

interface Held {
  readonly fence: number;
  readonly heartbeatAtMs: number | null;
  readonly leaseMs: number;
  readonly attemptEndMs: number;
}

export class Leases {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #deadlines: Deadlines<string>;

  constructor(clock: Clock, expired: (expiry: Expiry) => void) {
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock, (id) => {
      const held = this.#held.get(id);
      if (held === undefined) return;
      const cause = held.attemptEndMs <= clock.monotonicMs() ? 'attempt' : 'lease';
      expired({ id, fence: held.fence, heartbeatAtMs: held.heartbeatAtMs, leaseMs: held.leaseMs, cause });
    });
  }

  get size(): number {
    return this.#held.size;
  }

  /** A lease begins, or is renewed, with its full length from now on. */
  hold(row: TaskRow): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#held.get(row.id);
    const attemptEndMs =
      known?.fence === row.fence ? known.attemptEndMs : nowMs + (row.attemptTimeoutMs || Number.POSITIVE_INFINITY);
    this.#keep(row, nowMs, attemptEndMs);
  }

  /**
   * A lease from before a restart: a full one, whatever the wall clock says. Of the attempt's time the part that has passed
   * is taken off, but its worker gets at least one lease to report.
   */
  recover(row: TaskRow): void {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = Math.max(0, this.#clock.nowMs() - (row.startedAtMs ?? 0));
    const leftMs = Math.min(row.attemptTimeoutMs, Math.max(row.attemptTimeoutMs - passedMs, row.leaseMs));
    this.#keep(row, nowMs, row.attemptTimeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + leftMs);
  }

  drop(id: string): void {
    this.#held.delete(id);
    this.#deadlines.drop(id);
  }

  /** The expiry could not be written. */
  later(expiry: Expiry): void {
    if (this.#held.get(expiry.id)?.fence === expiry.fence)
      this.#deadlines.set(expiry.id, this.#clock.monotonicMs() + refusedPauseMs);
  }

  clear(): void {
    this.#held.clear();
    this.#deadlines.clear();
  }

  #keep(row: TaskRow, nowMs: number, attemptEndMs: number): void {
    const { fence, heartbeatAtMs, leaseMs } = row;
    this.#held.set(row.id, { fence, heartbeatAtMs, leaseMs, attemptEndMs });
    this.#deadlines.set(row.id, Math.min(nowMs + leaseMs, attemptEndMs));
  }
}
