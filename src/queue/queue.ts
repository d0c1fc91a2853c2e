/** What a queue is to those who use it. Made by `openQueue` (engine.ts). */

import type { MeshEvent, TaskProgress } from '../mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import type { TaskStatus } from '../mesh/task.ts';

/** A checked input without whom it is for; task ids in it are local ones. */
export type QueueInput<Name extends OperationName> = Omit<
  CheckedInput<Name>,
  'remote_peer_id' | 'remote_multiaddr' | 'peer_id'
>;

/** The table's answer, with local ids. */
export type QueueAnswer<Name extends OperationName> = OperationOutput<Name>;

export interface CallContext {
  /** Peer id of who asks: the holder of a lease is known by it. */
  readonly caller: string;
  /** Whom of a task's people the caller must be to look at or change it; undefined: anybody. */
  readonly mustBe?: 'submitter' | 'involved' | undefined;
  /** Gives up what waits, and what has not begun to be written. */
  readonly signal?: AbortSignal | undefined;
  /** For `wait`: hears what the worker reports. Must not throw. */
  readonly onProgress?: ((progress: TaskProgress) => void) | undefined;
}

/** Hears of a change of status after it is on disk, in order. */
export type TaskListener = (event: Extract<MeshEvent, { type: 'task' }>) => void;

export interface QueueStats {
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** Tasks in all states. */
  readonly tasks: number;
  /** Payloads and results. */
  readonly storedBytes: number;
  /** Claims and waits that are waiting. */
  readonly waiters: number;
  /** Leases that are watched: as many as tasks are running, once `start` is done. */
  readonly leases: number;
  /** Types that claims are waiting for by name. */
  readonly taskTypes: string[];
}

/**
 * Each verb is the operation of the same name; the codes in brackets are what it fails with beside `cancelled`, `busy`,
 * `storage_failed`, `data_corrupt` and `mesh_down`, which any of them may.
 */
export interface Queue extends AsyncDisposable {
  /** Gives running tasks a full lease each, and begins to promote, expire and prune. Call it once, before the verbs. */
  start(): Promise<void>;
  /** Fails what waits, finishes what is being written, closes the file. Idempotent. */
  close(): Promise<void>;

  /** [`queue_full`, `idempotency_conflict`] On disk when it answers. */
  submit(input: QueueInput<'submit'>, context: CallContext): Promise<QueueAnswer<'submit'>>;
  /** [`queue_full`, `idempotency_conflict`, `invalid_params`] All or none. */
  submitMany(input: QueueInput<'submit_many'>, context: CallContext): Promise<QueueAnswer<'submit_many'>>;
  /** [`too_many_waiters`] */
  claim(input: QueueInput<'claim'>, context: CallContext): Promise<QueueAnswer<'claim'>>;
  /** [`task_not_found`, `stale_fence`, `task_cancelled`, `wrong_state`] */
  heartbeat(input: QueueInput<'heartbeat'>, context: CallContext): Promise<QueueAnswer<'heartbeat'>>;
  /** [as `heartbeat`] */
  complete(input: QueueInput<'complete'>, context: CallContext): Promise<QueueAnswer<'complete'>>;
  /** [as `heartbeat`] */
  fail(input: QueueInput<'fail'>, context: CallContext): Promise<QueueAnswer<'fail'>>;
  /** [as `heartbeat`] */
  release(input: QueueInput<'release'>, context: CallContext): Promise<QueueAnswer<'release'>>;
  /** [`task_not_found`, `wrong_state`, `unauthorized`] */
  cancel(input: QueueInput<'cancel'>, context: CallContext): Promise<QueueAnswer<'cancel'>>;
  /** [as `cancel`] */
  retry(input: QueueInput<'retry'>, context: CallContext): Promise<QueueAnswer<'retry'>>;
  /** [`task_not_found`, `unauthorized`] With payload and result. */
  get(input: QueueInput<'get'>, context: CallContext): Promise<QueueAnswer<'get'>>;
  /** [`invalid_params`] */
  list(input: QueueInput<'list'>, context: CallContext): Promise<QueueAnswer<'list'>>;
  /** [`task_not_found`, `unauthorized`, `too_many_waiters`] With the result and without the payload: who waits has sent it. */
  wait(input: QueueInput<'wait'>, context: CallContext): Promise<QueueAnswer<'wait'>>;
  stats(): Promise<QueueStats>;
  /** Hands over events until the returned function is called. */
  subscribe(listener: TaskListener): () => void;
}
