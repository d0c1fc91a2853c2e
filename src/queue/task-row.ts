/**
 * A task as the store keeps it. `transition.ts` alone says how a row changes; `task-view.ts` makes of it what the outside
 * sees. Times are epoch milliseconds, whole numbers.
 */

import type { TaskStatus } from '../mesh/task.ts';

/** How the last lease on a task ended: what a repeated call is recognised by. */
export type LeaseEnd = 'complete' | 'fail' | 'release' | 'expire';

export interface TaskRow {
  /** 32 hex digits; ids of one node sort by age. */
  readonly id: string;
  readonly taskType: string;
  readonly modelName: string;
  readonly priority: number;
  /** 0: no limit. */
  readonly maxAttempts: number;
  readonly backoffMs: number;
  /** 0: no limit. */
  readonly attemptTimeoutMs: number;
  readonly resultTtlMs: number;
  readonly idempotencyKey: string | null;
  /** SHA-256 of what the work is; null without an idempotency key. */
  readonly workHash: string | null;
  readonly createdAtMs: number;

  readonly status: TaskStatus;
  /** 1: to be claimed now. 0: running, finished, or its time has not come. */
  readonly ready: 0 | 1;
  readonly attempt: number;
  /** Grows with every claim, never shrinks. 0: never claimed. */
  readonly fence: number;
  /** Length of the current or last lease. */
  readonly leaseMs: number;
  readonly leaseEnd: LeaseEnd | null;
  readonly updatedAtMs: number;
  readonly nextAttemptAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly expiresAtMs: number | null;
  /** For people only: leases are measured on the monotonic clock. */
  readonly leaseUntilMs: number | null;
  readonly heartbeatAtMs: number | null;
  readonly assignedWorker: string | null;
  /** Peer id of the current or last holder of the lease. */
  readonly assignedPeer: string | null;
  /** JSON text. */
  readonly progress: string | null;
  readonly error: string | null;
  /** UTF-8 bytes of payload and result. */
  readonly storedBytes: number;
  /** Peer id of who submitted the task, known by its connection; null for tasks from before this was kept. */
  readonly submittedBy: string | null;
}

/** What a state change writes. What never changes is not in it. */
export type RowPatch = Partial<
  Omit<
    TaskRow,
    | 'id'
    | 'taskType'
    | 'modelName'
    | 'priority'
    | 'maxAttempts'
    | 'backoffMs'
    | 'attemptTimeoutMs'
    | 'resultTtlMs'
    | 'idempotencyKey'
    | 'workHash'
    | 'createdAtMs'
    | 'submittedBy'
  >
>;

/** A row with what was asked for of its JSON texts. */
export interface StoredTask {
  readonly row: TaskRow;
  readonly payload?: string;
  /** Null: there is no result (yet). */
  readonly result?: string | null;
}
