/**
 * The queue of one node: what is accepted is on disk, what is leased has one holder, what is due happens by itself.
 *
 * Called by the P2P node, with inputs that were checked against the table of operations; ids here are the local 32 digits.
 * Answers have the shapes of the table. Rejects only with `MeshError`s.
 */

import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import { isFinal } from '../mesh/task.ts';
import { Changes } from './changes.ts';
import { Claims } from './claims.ts';
import { newTask, type Work } from './new-task.ts';
import { isOwn, refuseForeign } from './own-tasks.ts';
import type { CallContext, Queue, QueueAnswer, QueueInput, QueueStats, TaskListener } from './queue.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { OnReady, Store } from './store.ts';
import { jsonText, plainText } from './stored-text.ts';
import { type TaskIds, taskIds } from './task-ids.ts';
import { taskNotFound } from './task-not-found.ts';
import type { StoredTask, TaskRow } from './task-row.ts';
import { claimedTaskView, taskView } from './task-view.ts';
import { TaskWaits } from './task-waits.ts';
import type { Change } from './transition.ts';

interface QueueOptions {
  /** The SQLite file; made if it is not there. Its folder must exist. */
  readonly path: string;
  readonly limits: Limits;
  readonly clock: Clock;
  /** Numbers from 0 up to 1: for ids and for the jitter of backoffs. */
  readonly random: () => number;
  /** Hears of every change of a task’s status, from the first on; `subscribe` adds others. */
  readonly onEvent?: TaskListener;
  /** The file's greatest size, in pages of 4 KiB. Without it, the disk's room. */
  readonly maxPages?: number;
}

/** Opens the queue. Leases and timers begin with `start`. Throws `data_corrupt` or `storage_failed`. */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const { path, limits, clock, random, maxPages } = options;
  let wake: OnReady = () => {};
  const onReady: OnReady = (type) => wake(type);
  const nowMs = clock.nowMs();
  const store = await openSqliteStore({
    path,
    limits,
    onReady,
    nowMs,
    ...(maxPages === undefined ? {} : { maxPages }),
  });
  const ids = taskIds(() => clock.nowMs(), random, await store.lastSequence());
  const engine = new Engine(store, ids, options);
  if (options.onEvent !== undefined) engine.subscribe(options.onEvent);
  wake = (type) => engine.wake(type);
  return engine;
}

class Engine implements Queue {
  readonly #store: Store;
  readonly #ids: TaskIds;
  readonly #limits: Limits;
  readonly #waits: TaskWaits;
  readonly #claims: Claims;
  readonly #changes: Changes;

  constructor(store: Store, ids: TaskIds, { clock, limits, random }: QueueOptions) {
    this.#store = store;
    this.#ids = ids;
    this.#limits = limits;
    this.#waits = new TaskWaits(clock);
    this.#changes = new Changes({ store, waits: this.#waits, clock, limits, random });
    this.#claims = new Claims({
      store,
      clock,
      checkRoom: () => this.#checkWaiters(),
      giveBack: (claimed, why) => this.#changes.giveBack(claimed, why),
    });
  }

  start(): Promise<void> {
    return this.#changes.start();
  }

  async close(): Promise<void> {
    const down = new MeshError('mesh_down', 'The node is stopping. Try again when it is up.');
    this.#claims.close(down);
    this.#waits.close(down);
    this.#changes.stopAlarms();
    await this.#store.close();
    this.#changes.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  subscribe(listener: TaskListener): () => void {
    return this.#changes.subscribe(listener);
  }

  wake(taskType: string): void {
    this.#claims.wake(taskType);
  }

  async submit(input: QueueInput<'submit'>, context: CallContext): Promise<QueueAnswer<'submit'>> {
    const [first] = await this.#insert([input], context);
    if (first === undefined) throw new MeshError('internal_error', 'The store took a task and did not say which.');
    return first;
  }

  async submitMany(input: QueueInput<'submit_many'>, context: CallContext): Promise<QueueAnswer<'submit_many'>> {
    if (input.tasks.length > this.#limits.maxBatch) {
      const text = `${input.tasks.length} tasks in one call; at most ${this.#limits.maxBatch} are allowed. Send several calls.`;
      throw new MeshError('invalid_params', text);
    }
    return { tasks: await this.#insert(input.tasks, context) };
  }

  async claim(input: QueueInput<'claim'>, { signal, caller }: CallContext): Promise<QueueAnswer<'claim'>> {
    const worker = plainText(input.worker_id);
    const leaseMs = Math.round(input.lease_s * 1000);
    const claimed = await this.#claims.claim({
      types: [...new Set(input.supported_task_types.map(plainText))],
      waitMs: Math.min(input.wait_s * 1000, this.#limits.maxWaitMs),
      signal,
      decide: (row) => this.#changes.decide(row, { verb: 'claim', caller, worker, leaseMs }) ?? {},
      committed: ({ row }) => this.#changes.follow(row, { ...row, status: 'queued' }),
    });
    return { task: claimed === null ? null : claimedTaskView(claimed) };
  }

  async heartbeat(input: QueueInput<'heartbeat'>, context: CallContext): Promise<QueueAnswer<'heartbeat'>> {
    const { lease_s: leaseS, progress } = input;
    const change: Change = {
      verb: 'heartbeat',
      lease: leaseOf(input, context),
      ...(leaseS === undefined ? {} : { leaseMs: Math.round(leaseS * 1000) }),
      ...(progress === undefined ? {} : { progress: jsonText(progress) }),
    };
    const row = await this.#changes.make(input.task_id, change, { signal: context.signal });
    return { task_id: row.id, lease_until: (row.leaseUntilMs ?? 0) / 1000, lease_s: row.leaseMs / 1000 };
  }

  async complete(input: QueueInput<'complete'>, context: CallContext): Promise<QueueAnswer<'complete'>> {
    const { task_id, fence, error } = input;
    if (input.status === 'failed') return this.fail({ task_id, fence, error, retry: true }, context);
    const change: Change = { verb: 'complete', lease: leaseOf(input, context) };
    const { signal } = context;
    return settled(await this.#changes.make(task_id, change, { signal, result: jsonText(input.result) }));
  }

  async fail(input: QueueInput<'fail'>, context: CallContext): Promise<QueueAnswer<'fail'>> {
    const change: Change = {
      verb: 'fail',
      lease: leaseOf(input, context),
      error: plainText(input.error),
      retry: input.retry,
      ...(input.delay_s === undefined ? {} : { delayMs: input.delay_s * 1000 }),
    };
    const row = await this.#changes.make(input.task_id, change, { signal: context.signal });
    return settled(row);
  }

  async release(input: QueueInput<'release'>, context: CallContext): Promise<QueueAnswer<'release'>> {
    const change: Change = {
      verb: 'release',
      lease: leaseOf(input, context),
      reason: plainText(input.reason),
      delayMs: input.delay_s * 1000,
    };
    const row = await this.#changes.make(input.task_id, change, { signal: context.signal });
    return settled(row);
  }

  async cancel(input: QueueInput<'cancel'>, context: CallContext): Promise<QueueAnswer<'cancel'>> {
    let cancelled = false;
    const change: Change = { verb: 'cancel', reason: plainText(input.reason) };
    const made = (): void => {
      cancelled = true;
    };
    const check = (row: TaskRow): void => refuseForeign(row, context);
    const row = await this.#changes.make(input.task_id, change, { signal: context.signal, made, check });
    return { ...settled(row), cancelled };
  }

  async retry(input: QueueInput<'retry'>, context: CallContext): Promise<QueueAnswer<'retry'>> {
    const change: Change = { verb: 'retry', delayMs: input.delay_s * 1000 };
    const check = (row: TaskRow): void => refuseForeign(row, context);
    return settled(await this.#changes.make(input.task_id, change, { signal: context.signal, check }));
  }

  async get(input: QueueInput<'get'>, context: CallContext): Promise<QueueAnswer<'get'>> {
    const stored = await this.#read(input.task_id, { payload: true, result: true });
    refuseForeign(stored.row, context);
    return { task: taskView(stored) };
  }

  async list(input: QueueInput<'list'>, context: CallContext): Promise<QueueAnswer<'list'>> {
    if (input.cursor !== '' && !/^[0-9a-f]{32}$/.test(input.cursor))
      throw new MeshError(
        'invalid_params',
        'The cursor is not one that an earlier list answered. Begin with an empty one.',
      );
    const { tasks, more } = await this.#store.list(
      {
        ...(input.status === undefined ? {} : { status: input.status }),
        types: input.task_types.map(plainText),
        ...(context.mustBe === undefined ? {} : { sees: (row: TaskRow) => isOwn(row, context) }),
        after: input.cursor,
        limit: input.limit,
        maxBytes: this.#limits.maxListBytes,
        detail: input.detail,
      },
      context.signal,
    );
    return { tasks: tasks.map(taskView), cursor: more ? (tasks.at(-1)?.row.id ?? null) : null };
  }

  async wait(input: QueueInput<'wait'>, context: CallContext): Promise<QueueAnswer<'wait'>> {
    const { signal, onProgress } = context;
    this.#checkWaiters();
    const timeoutMs = Math.min(input.timeout_s * 1000, this.#limits.maxWaitMs);
    const { over, leave } = this.#waits.wait(input.task_id, { timeoutMs, signal, onProgress });
    try {
      // Looked at only after the wait has begun, so that no change falls in between.
      const { row } = await this.#read(input.task_id, { payload: false, result: false });
      refuseForeign(row, context);
      if (isFinal(row.status) || timeoutMs <= 0) leave();
      await over;
    } finally {
      leave();
    }
    const stored = await this.#read(input.task_id, { payload: false, result: true });
    // Another worker may have it by now.
    refuseForeign(stored.row, context);
    return { task: taskView(stored), done: isFinal(stored.row.status) };
  }

  async stats(): Promise<QueueStats> {
    const { counts, tasks, bytes } = await this.#store.totals();
    return {
      counts,
      tasks,
      storedBytes: bytes,
      waiters: this.#claims.waiting + this.#waits.size,
      leases: this.#changes.leases,
      taskTypes: this.#claims.types,
    };
  }

  async #insert(works: readonly Work[], { signal, caller }: CallContext): Promise<QueueAnswer<'submit'>[]> {
    const nowMs = this.#changes.nowMs();
    const tasks = works.map((work) => newTask(work, this.#ids.next(), nowMs, caller));
    const all = await this.#store.insert(tasks, signal, (inserted) => this.#changes.followInsert(inserted));
    return all.map(({ row, deduplicated }) => ({ task_id: row.id, status: row.status, deduplicated }));
  }

  async #read(id: string, parts: { payload: boolean; result: boolean }): Promise<StoredTask> {
    const stored = await this.#store.read(id, parts);
    if (stored === undefined) throw taskNotFound(id);
    return stored;
  }

  #checkWaiters(): void {
    const waiters = this.#claims.waiting + this.#waits.size;
    if (waiters < this.#limits.maxWaiters) return;
    throw new MeshError(
      'too_many_waiters',
      `${waiters} claims and waits are waiting here, as many as may. Try again later.`,
    );
  }
}

function leaseOf(input: { fence: number }, { caller }: CallContext): { fence: number; caller: string } {
  return { fence: input.fence, caller };
}

function settled(row: TaskRow): QueueAnswer<'release'> {
  return { task_id: row.id, status: row.status };
}
