/**
 * The leases that this node holds on a Python node's tasks. A Python node lets anybody complete anything, in any state: so what it
 * does not check is checked here, before it is told. Leases cannot be renewed there.
 */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';

/** How long a Python node leaves a task with its worker, in milliseconds; then it hands it out again. */
export const pythonLeaseMs = 300_000;

/** Leases that are remembered; Python nodes hand out one at a time. */
const maxLeases = 10_000;

interface Held {
  readonly fence: number;
  readonly worker: string;
  readonly untilMs: number;
}

export class LeaseLedger {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  #fences = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A task was claimed, by a request that was sent at `sentMs`. Answers the fence that stands for this lease. */
  hold(taskId: string, worker: string, sentMs: number): number {
    const [oldest] = this.#held.keys();
    if (this.#held.size >= maxLeases && oldest !== undefined) this.#held.delete(oldest);
    const fence = ++this.#fences;
    this.#held.delete(taskId);
    this.#held.set(taskId, { fence, worker, untilMs: sentMs + pythonLeaseMs });
    return fence;
  }

  /** The worker that holds the lease. Throws `stale_fence` for one that is over or another's. */
  check(taskId: string, fence: number): string {
    const held = this.#held.get(taskId);
    if (held === undefined || held.fence !== fence)
      throw new MeshError(
        'stale_fence',
        'This node does not hold this lease on the Python node’s task. Stop working on it.',
      );
    if (this.#clock.monotonicMs() < held.untilMs) return held.worker;
    this.#held.delete(taskId);
    throw new MeshError(
      'stale_fence',
      `The lease on the Python node’s task is over: it ends ${pythonLeaseMs / 1000} s after the claim and cannot be renewed. Stop working on it.`,
    );
  }

  /** The lease was ended. */
  end(taskId: string): void {
    this.#held.delete(taskId);
  }
}
