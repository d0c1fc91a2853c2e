/**
 * What the engine needs of a place that keeps tasks. The engine knows what tasks are and when what happens; a store knows
 * how to change rows durably. Implemented by `sqlite-store.ts`.
 *
 * Every promise of a change settles after the change is durable. What the callbacks `decide` and `wanted` are given is
 * locked until then. `decide` must not have side effects, for a store may have to ask it again; if it throws a `MeshError`, the call
 * fails with that and changes nothing. `committed` callbacks run in the order of the changes, before any of their promises settle.
 */

import type { TaskStatus } from '../mesh/task.ts';
import type { RowPatch, StoredTask, TaskRow } from './task-row.ts';

export interface NewTask {
  readonly row: TaskRow;
  /** JSON text. */
  readonly payload: string;
}

export interface Inserted {
  readonly row: TaskRow;
  /** True when a task with the same idempotency key and the same work was there: `row` is that one. */
  readonly deduplicated: boolean;
}

/** One change of one row. */
export interface RowChange {
  /** What is to be written; null for nothing. */
  decide(row: TaskRow): RowPatch | null;
  /** JSON text to be kept as the result, if `decide` lets the change happen. */
  readonly result?: string;
  /** Called with the row as it is and as it was, if something was written. */
  committed?(after: TaskRow, before: TaskRow): void;
}

/** One attempt to hand out a task. */
export interface ClaimAttempt {
  /** Task types; empty: any. */
  readonly types: readonly string[];
  /** Goes before all that waits for the commit: for those who have waited longest. */
  readonly first: boolean;
  /** Whether the claimer is still there. Asked last thing before a task is taken. */
  wanted(): boolean;
  decide(row: TaskRow): RowPatch;
  /** There was nothing. Called before anything else can become ready, so that no wake-up is missed. */
  none(): void;
  committed(claimed: StoredTask): void;
}

export interface ListQuery {
  readonly status?: TaskStatus;
  /** Empty: all. */
  readonly types: readonly string[];
  /** Leaves out tasks that the caller must not see. */
  readonly sees?: (row: TaskRow) => boolean;
  /** Id of the last task of the page before; empty: from the beginning. */
  readonly after: string;
  readonly limit: number;
  /** Of JSON and error texts in all; at least one task is answered. */
  readonly maxBytes: number;
  /** With payloads and results. */
  readonly detail: boolean;
}

export interface Page {
  readonly tasks: readonly StoredTask[];
  readonly more: boolean;
}

export interface Totals {
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** Tasks in all states. */
  readonly tasks: number;
  /** Payloads and results. */
  readonly bytes: number;
}

export interface Store {
  /** The greatest number that an id begins with; 0 when there is no task. */
  lastSequence(): Promise<number>;
  /** All or none. Throws `queue_full` or `idempotency_conflict`. */
  insert(
    tasks: readonly NewTask[],
    signal: AbortSignal | undefined,
    committed: (all: readonly Inserted[]) => void,
  ): Promise<readonly Inserted[]>;
  /** Throws `task_not_found` and what `decide` throws. */
  change(id: string, change: RowChange, signal?: AbortSignal): Promise<TaskRow>;
  /** The ready task of the highest priority and then the greatest age, or undefined. Without its payload when that is large. */
  claim(attempt: ClaimAttempt): Promise<StoredTask | undefined>;
  read(id: string, parts: { payload: boolean; result: boolean }): Promise<StoredTask | undefined>;
  list(query: ListQuery, signal?: AbortSignal): Promise<Page>;
  totals(): Promise<Totals>;
  /** Gives all running tasks a fresh lease from now on, and hands them over one by one: after a restart. */
  renewRunning(nowMs: number, each: (row: TaskRow) => void): Promise<void>;
  /** Makes delayed tasks ready whose time has come, at most `limit`. Answers when the next one's comes; null: none waits. */
  promote(nowMs: number, limit: number): Promise<number | null>;
  /** Removes finished tasks whose time to live is over, at most `limit`. Answers when the next one's is; null: none. */
  prune(nowMs: number, limit: number): Promise<number | null>;
  /** Finishes what was begun and closes. Idempotent. */
  close(): Promise<void>;
}

/**
 * Told whenever a task becomes ready, before the change is durable: a claim made from within the call gets the task in the
 * same commit.
 */
export type OnReady = (taskType: string) => void;
