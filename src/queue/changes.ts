/**
 * The changes of tasks and all that follows them in memory: leases, alarms, waits, events. Called by the engine, whose verbs
 * it carries out, and by its own timers. Memory follows the disk: it changes after a commit, in the order of commits.
 */

import { getLogger } from '@logtape/logtape';
import type { Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import type { MeshEvent } from '../mesh/mesh.ts';
import { Alarm } from './alarm.ts';
import type { Postponement } from './claims.ts';
import { type Expiry, Leases } from './leases.ts';
import type { TaskListener } from './queue.ts';
import type { Inserted, Store } from './store.ts';
import type { StoredTask, TaskRow } from './task-row.ts';
import type { TaskWaits } from './task-waits.ts';
import { type Change, transition } from './transition.ts';

const log = getLogger(['taskmesh', 'queue']);

interface ChangesDependencies {
  readonly store: Store;
  readonly waits: TaskWaits;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly random: () => number;
}

interface ChangeOptions {
  readonly signal?: AbortSignal | undefined;
  /** JSON text to be kept as the result. */
  readonly result?: string;
  /** Runs if the change was made now, and not before. */
  readonly made?: () => void;
  /** Throws when the caller may not change this task. */
  readonly check?: (row: TaskRow) => void;
}

export class Changes {
  readonly #store: Store;
  readonly #waits: TaskWaits;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #leases: Leases;
  readonly #promotion: Alarm;
  readonly #pruning: Alarm;
  readonly #listeners = new Set<TaskListener>();

  constructor({ store, waits, clock, limits, random }: ChangesDependencies) {
    this.#store = store;
    this.#waits = waits;
    this.#clock = clock;
    this.#random = random;
    this.#leases = new Leases(clock, (expiry) => void this.#expire(expiry));
    this.#promotion = new Alarm(clock, (nowMs) => store.promote(nowMs, limits.maxCommitBatch));
    this.#pruning = new Alarm(clock, (nowMs) => store.prune(nowMs, limits.maxCommitBatch));
  }

  /** Leases that are watched. */
  get leases(): number {
    return this.#leases.size;
  }

  /** Takes up what an earlier run of the node left. */
  async start(): Promise<void> {
    await this.#store.renewRunning(this.nowMs(), (row) => this.#leases.recover(row));
    this.#promotion.notLaterThan(this.nowMs());
    this.#pruning.notLaterThan(this.nowMs());
  }

  stopAlarms(): void {
    this.#promotion.stop();
    this.#pruning.stop();
  }

  /** After the store is closed, whose last commit may have begun leases. */
  forget(): void {
    this.#leases.clear();
    this.#listeners.clear();
  }

  subscribe(listener: TaskListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Throws `task_not_found`, what `transition` throws and what the store throws. */
  make(id: string, change: Change, { signal, result, made, check }: ChangeOptions = {}): Promise<TaskRow> {
    const rowChange = {
      decide: (row: TaskRow) => {
        check?.(row);
        return this.decide(row, change);
      },
      committed: (after: TaskRow, before: TaskRow) => {
        made?.();
        this.follow(after, before);
      },
      ...(result === undefined ? {} : { result }),
    };
    return this.#store.change(id, rowChange, signal);
  }

  /** What a change would write now. */
  decide(row: TaskRow, change: Change): ReturnType<typeof transition> {
    return transition(row, change, this.nowMs(), this.#random);
  }

  /** A change is on disk: everything in memory follows it here. */
  follow(after: TaskRow, before: TaskRow): void {
    if (after.status === 'running') this.#leases.hold(after);
    else if (before.status === 'running') this.#leases.drop(after.id);
    this.#expect(after);
    this.#waits.changed(after, before);
    if (after.status !== before.status) this.#tell(after);
  }

  /** New tasks are on disk. */
  followInsert(all: readonly Inserted[]): void {
    for (const { row, deduplicated } of all) {
      if (deduplicated) continue;
      this.#tell(row);
      this.#expect(row);
    }
  }

  /** Takes back a task that was claimed and did not reach its claimer. */
  async giveBack({ row }: StoredTask, { reason, delayMs }: Postponement): Promise<void> {
    const lease = { fence: row.fence, caller: row.assignedPeer ?? '' };
    try {
      await this.make(row.id, { verb: 'release', lease, reason, delayMs });
    } catch (thrown) {
      // Its lease will run out.
      log.warn('A task that did not reach its claimer could not be given back: {error}', { error: thrown });
    }
  }

  /** Wall time in whole milliseconds, as rows keep it. */
  nowMs(): number {
    return Math.round(this.#clock.nowMs());
  }

  #expect(row: TaskRow): void {
    if (row.status === 'queued' && row.ready === 0) this.#promotion.notLaterThan(row.nextAttemptAtMs ?? 0);
    if (row.expiresAtMs !== null) this.#pruning.notLaterThan(row.expiresAtMs);
  }

  #tell(row: TaskRow): void {
    const { id, taskType, status, attempt } = row;
    const event: TaskEvent = { type: 'task', task_id: id, task_type: taskType, status, attempt };
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (thrown) {
        log.error('A listener to task events threw: {error}', { error: thrown });
      }
    }
  }

  async #expire(expiry: Expiry): Promise<void> {
    const { id, fence, cause } = expiry;
    try {
      await this.#store.change(id, {
        decide: (row) => {
          const renewed = cause === 'lease' && row.heartbeatAtMs !== expiry.heartbeatAtMs;
          if (row.status !== 'running' || row.fence !== fence || renewed) return null;
          return this.decide(row, { verb: 'expire', error: expiryText(row, cause) });
        },
        committed: (after, before) => this.follow(after, before),
      });
    } catch (thrown) {
      log.error('A lease that ran out could not be ended and will be tried again: {error}', { error: thrown });
      this.#leases.later(expiry);
    }
  }
}

type TaskEvent = Extract<MeshEvent, { type: 'task' }>;

function expiryText(row: TaskRow, cause: Expiry['cause']): string {
  return cause === 'lease'
    ? `The lease ran out: no heartbeat for ${row.leaseMs / 1000} s.`
    : `The attempt took longer than ${row.attemptTimeoutMs / 1000} s (attempt_timeout_s).`;
}
