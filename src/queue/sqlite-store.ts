/** Keeps tasks in one SQLite file, and what is large in files beside it. Made by `openQueue`; promises what `store.ts` asks for. */

import { setImmediate } from 'node:timers/promises';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import { admitted } from './admission.ts';
import { GroupCommit } from './group-commit.ts';
import { isInFile, isLarge, type KeptTask, type KeptText, LargeTexts, type ValueFile } from './large-texts.ts';
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
  /** Wall time, in milliseconds. */
  readonly nowMs: number;
  /** The file's greatest size, in pages of 4 KiB, where something smaller than the disk is to bound it. */
  readonly maxPages?: number;
}

/** Throws `data_corrupt` or `storage_failed`. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const database = openQueueFile(options.path);
  if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${Math.floor(options.maxPages)}`);
  try {
    const tables = new QueueTables(database);
    const rows = { known: tables.files(), needed: tables.files(options.nowMs), isNew: tables.lastSequence() === 0 };
    return new SqliteStore(tables, await LargeTexts.open(options.path, rows), options);
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
  readonly #large: LargeTexts;
  #closed = false;

  constructor(tables: QueueTables, large: LargeTexts, options: SqliteStoreOptions) {
    this.#tables = tables;
    this.#large = large;
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

  async insert(
    tasks: readonly NewTask[],
    signal: AbortSignal | undefined,
    committed: (all: readonly Inserted[]) => void,
  ): Promise<readonly Inserted[]> {
    if (!tasks.some(({ payload }) => isLarge(payload))) return this.#insert(tasks, new Map(), signal, committed);
    // What is refused, or known already, is not written.
    const large = this.#read(() => admitted(tasks, this.#tables, this.#limits)).fresh.filter(({ payload }) =>
      isLarge(payload),
    );
    const texts = large.map(({ payload }) => payload);
    return this.#large.writing(texts, (files, named) => {
      const fileOf = new Map(files.map((file, index) => [large[index] as NewTask, file]));
      return this.#insert(tasks, fileOf, signal, (all) => {
        for (const [{ row }, file] of fileOf) if (all.some((one) => one.row === row)) named(file);
        committed(all);
      });
    });
  }

  async change(id: string, change: RowChange, signal?: AbortSignal): Promise<TaskRow> {
    const { result } = change;
    if (!isLarge(result)) return this.#change(id, change, result, signal);
    const before = this.#read(() => this.#tables.rowOf(id));
    if (before === undefined) throw taskNotFound(id);
    // What is refused, or was made before, is not written.
    if (change.decide(before) === null) return this.#change(id, change, result, signal);
    return this.#large.writing([result], ([file], named) => {
      const committed = (now: TaskRow, then: TaskRow): void => {
        if (file !== undefined) named(file);
        change.committed?.(now, then);
      };
      return this.#change(id, { ...change, committed }, file, signal);
    });
  }

  claim(attempt: ClaimAttempt): Promise<StoredTask | undefined> {
    const run = (): StoredTask | undefined => {
      if (!attempt.wanted()) return undefined;
      const before = this.#tables.nextReady(attempt.types);
      if (before === undefined) {
        attempt.none();
        return undefined;
      }
      const { row, payload } = this.#tables.kept(this.#tables.update(before, attempt.decide(before)), {
        payload: true,
        result: false,
      });
      return typeof payload === 'string' ? { row, payload } : { row };
    };
    const committed = (claimed: StoredTask | undefined): void => {
      if (claimed !== undefined) attempt.committed(claimed);
    };
    return this.#commits.add(run, { committed, first: attempt.first });
  }

  async read(id: string, parts: { payload: boolean; result: boolean }): Promise<StoredTask | undefined> {
    const kept = this.#read(() => {
      const row = this.#tables.rowOf(id);
      return row === undefined ? undefined : this.#tables.kept(row, parts);
    });
    return kept === undefined ? undefined : this.#whole(kept);
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
        const kept = this.#read(() => this.#tables.kept(row, parts));
        // One task whose file is lost must not hide the others; who asks for it alone is told.
        const whole = await this.#whole(kept).catch(() => ({ row }));
        if (whole !== undefined) tasks.push(whole);
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

  async prune(nowMs: number, limit: number): Promise<number | null> {
    const run = (): { files: ValueFile[]; next: number | null } => {
      const files = this.#tables
        .sequences('expired', nowMs, limit)
        .flatMap((sequence) => this.#tables.remove(sequence));
      return { files, next: this.#tables.earliest('nextExpiry') };
    };
    return (await this.#commits.add(run, { committed: ({ files }) => this.#large.remove(files) })).next;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#commits.close();
    this.#tables.close();
    await this.#large.settled();
  }

  #insert(
    tasks: readonly NewTask[],
    fileOf: ReadonlyMap<NewTask, KeptText>,
    signal: AbortSignal | undefined,
    committed: (all: readonly Inserted[]) => void,
  ): Promise<readonly Inserted[]> {
    const run = (): readonly Inserted[] => {
      const { all, fresh } = admitted(tasks, this.#tables, this.#limits);
      for (const task of fresh) this.#tables.insert(task.row, fileOf.get(task) ?? task.payload);
      for (const { row } of fresh) if (row.ready === 1) this.#onReady(row.taskType);
      return all;
    };
    const bytes = tasks.reduce((sum, task) => sum + (fileOf.has(task) ? 0 : task.row.storedBytes), 0);
    return this.#commits.add(run, { committed, signal, bytes });
  }

  async #change(
    id: string,
    change: RowChange,
    result: KeptText | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TaskRow> {
    const run = (): { before: TaskRow; after: TaskRow } => {
      const before = this.#tables.rowOf(id);
      if (before === undefined) throw taskNotFound(id);
      const patch = change.decide(before);
      if (patch === null) return { before, after: before };
      const after = this.#tables.update(before, patch, result);
      if (after.ready === 1 && before.ready === 0) this.#onReady(after.taskType);
      return { before, after };
    };
    const committed = ({ before, after }: { before: TaskRow; after: TaskRow }): void => {
      if (after !== before) change.committed?.(after, before);
    };
    const bytes = typeof result === 'string' ? result.length : 0;
    return (await this.#commits.add(run, { committed, signal, bytes })).after;
  }

  /** With the texts that files have. Undefined when the task was removed meanwhile. Throws `data_corrupt` and `storage_failed`. */
  async #whole(kept: KeptTask): Promise<StoredTask | undefined> {
    const { row, payload, result } = kept;
    if (!isInFile(payload) && !isInFile(result)) return kept as StoredTask;
    try {
      return await this.#large.read(kept);
    } catch (thrown) {
      if (this.#read(() => this.#tables.rowOf(row.id)) === undefined) return undefined;
      this.#large.complain(toMeshError(thrown));
      throw thrown;
    }
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
