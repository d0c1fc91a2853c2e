/**
 * The leases that this node holds on Python nodes' tasks. A Python node lets anybody complete anything, in any state: so what it
 * does not check is checked here, before it is told. Leases cannot be renewed there.
 *
 * They are on disk as well: a node that starts again lets its workers hand in. While it runs, the monotonic clock alone decides.
 */

import { z } from 'zod';
import type { Cache } from '../../cache/cache.ts';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';

/** How long a Python node leaves a task with its worker, in milliseconds; then it hands it out again. */
const pythonLeaseMs = 300_000;

/** Leases that are kept in memory; the oldest one is looked up on disk then. */
const maxLeases = 10_000;

interface Held {
  readonly fence: number;
  readonly worker: string;
  /** By the monotonic clock. */
  readonly untilMs: number;
}

/** As it is on disk; `until` is in epoch milliseconds. */
const entry = z.object({ fence: z.number(), worker: z.string(), until: z.number() });

export class LeaseLedger {
  readonly #clock: Clock;
  readonly #pages: Pick<Cache, 'get' | 'set' | 'delete'>;
  readonly #held = new Map<string, Held>();
  #lastFence = 0;

  constructor(clock: Clock, pages: Pick<Cache, 'get' | 'set' | 'delete'>) {
    this.#clock = clock;
    this.#pages = pages;
  }

  /** A task was claimed, by a request that was sent at `sentMs`. Answers the fence that stands for this lease. */
  async hold(taskId: string, worker: string, sentMs: number): Promise<{ fence: number; leaseMs: number }> {
    // Grows over a restart too, so that no fence stands for two leases.
    const fence = Math.max(this.#lastFence + 1, Math.floor(this.#clock.nowMs()));
    this.#lastFence = fence;
    const untilMs = sentMs + pythonLeaseMs;
    const until = this.#clock.nowMs() + untilMs - this.#clock.monotonicMs();
    this.#keep(taskId, { fence, worker, untilMs });
    const value: z.infer<typeof entry> = { fence, worker, until };
    await this.#pages.set({ key: keyOf(taskId), value, ttl_s: pythonLeaseMs / 1000 });
    return { fence, leaseMs: pythonLeaseMs };
  }

  /** The worker that holds the lease, and how long it still does. Throws `stale_fence` for one that is over or another's. */
  async check(taskId: string, fence: number): Promise<{ worker: string; leftMs: number }> {
    const held = this.#held.get(taskId) ?? (await this.#read(taskId));
    if (held === undefined || held.fence !== fence)
      throw new MeshError(
        'stale_fence',
        'This node does not hold this lease on the Python node’s task. Stop working on it.',
      );
    const leftMs = held.untilMs - this.#clock.monotonicMs();
    if (leftMs > 0) return { worker: held.worker, leftMs };
    await this.end(taskId);
    throw new MeshError(
      'stale_fence',
      `The lease on the Python node’s task is over: it ends ${pythonLeaseMs / 1000} s after the claim and cannot be renewed. Stop working on it.`,
    );
  }

  /** The lease was ended. */
  async end(taskId: string): Promise<void> {
    this.#held.delete(taskId);
    await this.#pages.delete({ key: keyOf(taskId) });
  }

  #keep(taskId: string, held: Held): void {
    const [oldest] = this.#held.keys();
    if (this.#held.size >= maxLeases && oldest !== undefined) this.#held.delete(oldest);
    this.#held.delete(taskId);
    this.#held.set(taskId, held);
  }

  /** A lease from before the start. A wall clock that was set back makes it no longer than it was. */
  async #read(taskId: string): Promise<Held | undefined> {
    const { hit, value } = await this.#pages.get({ key: keyOf(taskId) });
    if (!hit) return undefined;
    const { fence, worker, until } = entry.parse(value);
    const leftMs = Math.min(until - this.#clock.nowMs(), pythonLeaseMs);
    const held = { fence, worker, untilMs: this.#clock.monotonicMs() + leftMs };
    this.#keep(taskId, held);
    return held;
  }
}

function keyOf(taskId: string): string {
  return `lease ${taskId}`;
}
