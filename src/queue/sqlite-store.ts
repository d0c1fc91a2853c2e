/** Keeps tasks in one SQLite file. Made by `openQueue`; promises what `store.ts` asks for. */

import { setImmediate } from 'node:timers/promises';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import { GroupCommit } from './group-commit.ts';
import { storageError } from './sqlite-errors.ts';
import { openQueueFile } from './sqlite-open.ts';
import { QueueTables } from './sqlite-tables.ts';
import type { ClaimAttempt, Inserted, ListQuery, NewTask, OnReady, Page, RowChange, Store, Totals } from './store.ts';
import { sequenceOf } from './task-ids.ts';
import { taskNotFound } from './task-not-found.ts';
import type { StoredTask, TaskRow } from './task-row.ts';

/** Rows that one step of a list looks at before it lets others have their turn. */
const rowsPerStep = 2_000;

interface SqliteStoreOptions {
  readonly path: string;
  readonly limits: Limits;
  readonly onReady: OnReady;
  /** The file's greatest size, in pages of 4 KiB, where something smaller than the disk is to bound it. */
  readonly maxPages?: number;
}

/** Throws `data_corrupt` or `storage_failed`. */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const database = openQueueFile(options.path);
  if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${Math.floor(options.maxPages)}`);
  try {
    return new SqliteStore(new QueueTables(database), options);
  } catch (thrown) {
    database.close();
    throw storageError(options.path, thrown);
  }
}

class SqliteStore implements Store {
  readonly #tables: QueueTables;
  readonly #path: string;
  readonly #limits: Limits;
  readonly #onReady: OnReady;
  readonly #commits: GroupCommit;
  #closed = false;

  constructor(tables: QueueTables, options: SqliteStoreOptions) {
    this.#tables = tables;
    this.#path = options.path;
    this.#limits = options.limits;
    this.#onReady = options.onReady;
    this.#commits = new GroupCommit(
      {
        begin: () => tables.begin(),
        commit: () => tables.commit(),
        checkpoint: () => tables.checkpoint(),
        rollback: () => tables.rollback(),
        errorFor: (thrown) => storageError(options.path, thrown),
      },
      {
        maxBatch: options.limits.maxCommitBatch,
        maxBytes: options.limits.maxCommitBytes,
        checkpointBytes: options.limits.checkpointBytes,
        maxPending: options.limits.maxInFlight,
      },
    );
  }

  async lastSequence(): Promise<number> {
    return this.#read(() => this.#tables.lastSequence());
  }

  insert(
    tasks: readonly NewTask[],
    signal: AbortSignal | undefined,
    committed: (all: readonly Inserted[]) => void,
  ): Promise<readonly Inserted[]> {
    const run = (): readonly Inserted[] => {
      const all = this.#withKnown(tasks);
      const fresh = tasks.filter(({ row }) => all.some((one) => one.row === row && !one.deduplicated));
      this.#checkRoom(fresh);
      for (const task of fresh) this.#tables.insert(task);
      for (const { row } of fresh) if (row.ready === 1) this.#onReady(row.taskType);
      return all;
    };
    const bytes = tasks.reduce((sum, { row }) => sum + row.storedBytes, 0);
    return this.#commits.add(run, { committed, signal, bytes });
  }

  async change(id: string, change: RowChange, signal?: AbortSignal): Promise<TaskRow> {
    const run = (): { before: TaskRow; after: TaskRow } => {
      const before = this.#tables.rowOf(id);
      if (before === undefined) throw taskNotFound(id);
      const patch = change.decide(before);
      if (patch === null) return { before, after: before };
      const after = this.#tables.update(before, patch, change.result);
      if (after.ready === 1 && before.ready === 0) this.#onReady(after.taskType);
      return { before, after };
    };
    const committed = ({ before, after }: { before: TaskRow; after: TaskRow }): void => {
      if (after !== before) change.committed?.(after, before);
    };
    const bytes = change.result?.length ?? 0;
    return (await this.#commits.add(run, { committed, signal, bytes })).after;
  }

  claim(attempt: ClaimAttempt): Promise<StoredTask | undefined> {
    const run = (): StoredTask | undefined => {
      if (!attempt.wanted()) return undefined;
      const before = this.#tables.nextReady(attempt.types);
      if (before === undefined) {
        attempt.none();
        return undefined;
      }
      const after = this.#tables.update(before, attempt.decide(before));
      return this.#tables.stored(after, { payload: true, result: false });
    };
    const committed = (claimed: StoredTask | undefined): void => {
      if (claimed !== undefined) attempt.committed(claimed);
    };
    return this.#commits.add(run, { committed, first: attempt.first });
  }

  async read(id: string, parts: { payload: boolean; result: boolean }): Promise<StoredTask | undefined> {
    return this.#read(() => {
      const row = this.#tables.rowOf(id);
      return row === undefined ? undefined : this.#tables.stored(row, parts);
    });
  }

  async list(query: ListQuery, signal?: AbortSignal): Promise<Page> {
    const types = query.types.length === 0 ? undefined : new Set(query.types);
    const tasks: StoredTask[] = [];
    const step = types === undefined && query.sees === undefined ? query.limit + 1 : rowsPerStep;
    let after = query.after === '' ? 0 : sequenceOf(query.after);
    let bytes = 0;
    for (;;) {
      if (signal?.aborted) throw new MeshError('cancelled', 'The list was given up by its caller.');
      const stretch = this.#read(() => this.#tables.stretch(query.status, after, step));
      for (const { seq, task_type } of stretch) {
        if (types?.has(task_type) === false) continue;
        if (query.sees === undefined && tasks.length >= query.limit) return { tasks, more: true };
        const row = this.#read(() => this.#tables.row(seq));
        if (row === undefined || query.sees?.(row) === false) continue;
        if (tasks.length >= query.limit) return { tasks, more: true };
        bytes += shownBytes(row, query.detail);
        if (tasks.length > 0 && bytes > query.maxBytes) return { tasks, more: true };
        const parts = { payload: query.detail, result: query.detail };
        tasks.push(this.#read(() => this.#tables.stored(row, parts)));
      }
      const last = stretch.at(-1);
      if (last === undefined || stretch.length < step) return { tasks, more: false };
      after = last.seq;
      await setImmediate();
    }
  }

  async totals(): Promise<Totals> {
    const { counts, tasks, bytes } = this.#tables.totals;
    return { counts: { ...counts }, tasks, bytes };
  }

  async renewRunning(nowMs: number, each: (row: TaskRow) => void): Promise<void> {
    let after = 0;
    for (;;) {
      const stretch = this.#read(() => this.#tables.stretch('running', after, this.#limits.maxCommitBatch));
      const last = stretch.at(-1);
      if (last === undefined) return;
      after = last.seq;
      const run = (): TaskRow[] => {
        const rows = stretch.map(({ seq }) => this.#tables.row(seq)).filter((row) => row?.status === 'running');
        return (rows as TaskRow[]).map((row) => this.#tables.update(row, { leaseUntilMs: nowMs + row.leaseMs }));
      };
      await this.#commits.add(run, { committed: (rows) => rows.forEach(each), first: true });
    }
  }

  promote(nowMs: number, limit: number): Promise<number | null> {
    return this.#commits.add(() => {
      for (const sequence of this.#tables.sequences('due', nowMs, limit)) {
        const row = this.#tables.row(sequence);
        if (row === undefined) continue;
        this.#tables.update(row, { ready: 1 });
        this.#onReady(row.taskType);
      }
      return this.#tables.earliest('nextDue');
    });
  }

  prune(nowMs: number, limit: number): Promise<number | null> {
    return this.#commits.add(() => {
      for (const sequence of this.#tables.sequences('expired', nowMs, limit)) this.#tables.remove(sequence);
      return this.#tables.earliest('nextExpiry');
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#commits.close();
    this.#tables.close();
  }

  /** For each task what it is in the store, or will be: itself, or the one that its idempotency key stands for. */
  #withKnown(tasks: readonly NewTask[]): readonly Inserted[] {
    const newByKey = new Map<string, TaskRow>();
    return tasks.map(({ row }) => {
      const key = row.idempotencyKey;
      if (key === null) return { row, deduplicated: false };
      const known = newByKey.get(key) ?? this.#tables.rowByKey(key);
      if (known === undefined) {
        newByKey.set(key, row);
        return { row, deduplicated: false };
      }
      if (known.workHash === row.workHash) return { row: known, deduplicated: true };
      throw new MeshError(
        'idempotency_conflict',
        'The idempotency key was used before for other work (task_type, model_name or payload differ). Use a new key for new work.',
        { details: { task_id: known.id } },
      );
    });
  }

  #checkRoom(fresh: readonly NewTask[]): void {
    const { tasks, bytes } = this.#tables.totals;
    const newBytes = fresh.reduce((sum, { row }) => sum + row.storedBytes, 0);
    const { maxTasks, maxStoredBytes } = this.#limits;
    if (fresh.length === 0 || (tasks + fresh.length <= maxTasks && bytes + newBytes <= maxStoredBytes)) return;
    throw new MeshError(
      'queue_full',
      `The queue holds ${tasks} tasks and ${bytes} bytes; at most ${maxTasks} and ${maxStoredBytes} are allowed. ` +
        'Try again when tasks are done and pruned, give finished tasks a shorter result_ttl_s, or submit to another node.',
      { details: { tasks, bytes, max_tasks: maxTasks, max_bytes: maxStoredBytes } },
    );
  }

  #read<T>(query: () => T): T {
    if (this.#closed) throw new MeshError('mesh_down', 'The queue is closed. Try again when the node is up.');
    try {
      return query();
    } catch (thrown) {
      throw storageError(this.#path, thrown);
    }
  }
}

function shownBytes(row: TaskRow, detail: boolean): number {
  const notes = Buffer.byteLength(row.progress ?? '') + Buffer.byteLength(row.error ?? '');
  return notes + (detail ? row.storedBytes : 0);
}
