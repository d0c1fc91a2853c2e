/**
 * The statements on the queue's tables, each prepared once, and the totals. Called by `sqlite-store.ts`, which says what
 * belongs into one transaction.
 */

import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { type TaskStatus, taskStatuses } from '../mesh/task.ts';
import { largeBytes } from '../mesh/value-files.ts';
import { isInFile, type KeptTask, type KeptText, type ValueFile } from './large-texts.ts';
import { columnOf, fields } from './sqlite-schema.ts';
import type { Totals } from './store.ts';
import { sequenceOf } from './task-ids.ts';
import type { RowPatch, TaskRow } from './task-row.ts';

const allColumns = fields.map((field) => columnOf[field]).join(', ');

/** The queries that hand out, promote and prune; a test reads their plans. */
export const queueQueries = {
  readyOfType: 'SELECT seq, priority FROM tasks WHERE ready = 1 AND task_type = ? ORDER BY priority DESC, seq LIMIT 1',
  readyOfAny: 'SELECT seq FROM tasks WHERE ready = 1 ORDER BY priority DESC, seq LIMIT 1',
  due: "SELECT seq FROM tasks INDEXED BY delayed WHERE status = 'queued' AND ready = 0 AND next_attempt_at_ms <= ? ORDER BY next_attempt_at_ms LIMIT ?",
  nextDue: "SELECT min(next_attempt_at_ms) AS at FROM tasks INDEXED BY delayed WHERE status = 'queued' AND ready = 0",
  expired: 'SELECT seq FROM tasks WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?',
  nextExpiry: 'SELECT min(expires_at_ms) AS at FROM tasks WHERE expires_at_ms IS NOT NULL',
  byKey: 'SELECT seq FROM tasks WHERE idempotency_key = ?',
  ofStatus: 'SELECT seq, task_type FROM tasks WHERE status = ? AND seq > ? ORDER BY seq LIMIT ?',
  all: 'SELECT seq, task_type FROM tasks WHERE seq > ? ORDER BY seq LIMIT ?',
} as const;

type Part = 'payload' | 'result';

type MutableTotals = { counts: Record<TaskStatus, number>; tasks: number; bytes: number };

interface Update {
  readonly names: readonly (keyof RowPatch)[];
  readonly statement: StatementSync;
}

/** Rows are read as arrays and made into objects here: the objects that SQLite's binding makes are slow to copy. */
function rowFrom(values: readonly SQLOutputValue[]): TaskRow {
  const row: Record<string, SQLOutputValue> = {};
  for (let column = 0; column < fields.length; column++) row[fields[column] as string] = values[column] ?? null;
  return row as unknown as TaskRow;
}

export class QueueTables {
  readonly #database: DatabaseSync;
  /** Bounded: the texts are made from a fixed set of queries and of patches' shapes. */
  readonly #statements = new Map<string, StatementSync>();
  readonly #updates = new Map<string, Update>();
  readonly #rowBySequence: StatementSync;
  #totals: MutableTotals;
  #kept: MutableTotals;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#rowBySequence = database.prepare(`SELECT ${allColumns} FROM tasks WHERE seq = ?`);
    this.#rowBySequence.setReturnArrays(true);
    this.#totals = this.#countAll();
    this.#kept = this.#totals;
  }

  get totals(): Totals {
    return this.#totals;
  }

  begin(): void {
    this.#kept = { ...this.#totals, counts: { ...this.#totals.counts } };
    this.#prepared('BEGIN IMMEDIATE').run();
  }

  commit(): void {
    this.#prepared('COMMIT').run();
  }

  /** Moves the write-ahead log into the file. SQLite does it by itself, inside of a COMMIT, when nobody did it before. */
  checkpoint(): void {
    this.#prepared('PRAGMA wal_checkpoint(PASSIVE)').all();
  }

  rollback(): void {
    this.#totals = this.#kept;
    // A full disk rolls back by itself; a BEGIN that failed has nothing to roll back.
    if (this.#database.isTransaction) this.#prepared('ROLLBACK').run();
  }

  insert(row: TaskRow, payload: KeptText): void {
    const sequence = sequenceOf(row.id);
    const names = fields.map((field) => columnOf[field]).join(', ');
    const marks = fields.map(() => '?').join(', ');
    this.#prepared(`INSERT INTO tasks (seq, ${names}) VALUES (?, ${marks})`).run(
      sequence,
      ...fields.map((field): SQLInputValue => row[field]),
    );
    this.#keep('payload', sequence, payload);
    this.#totals.tasks++;
    this.#totals.counts[row.status]++;
    this.#totals.bytes += row.storedBytes;
  }

  /** Writes a patch, and a result with it, and answers the row as it is then. */
  update(before: TaskRow, patch: RowPatch, result?: KeptText): TaskRow {
    const sequence = sequenceOf(before.id);
    const resultBytes = result === undefined ? 0 : isInFile(result) ? result.bytes : Buffer.byteLength(result);
    const written = resultBytes === 0 ? patch : { ...patch, storedBytes: before.storedBytes + resultBytes };
    const { statement, names } = this.#update(written);
    statement.run(...names.map((field): SQLInputValue => written[field] ?? null), sequence);
    if (result !== undefined) this.#keep('result', sequence, result);
    const after = { ...before, ...written };
    this.#totals.counts[before.status]--;
    this.#totals.counts[after.status]++;
    this.#totals.bytes += resultBytes;
    return after;
  }

  /** Answers the files that no row names any more. */
  remove(sequence: number): ValueFile[] {
    const row = this.row(sequence);
    if (row === undefined) return [];
    for (const table of ['tasks', 'payloads', 'results'])
      this.#prepared(`DELETE FROM ${table} WHERE seq = ?`).run(sequence);
    this.#totals.tasks--;
    this.#totals.counts[row.status]--;
    this.#totals.bytes -= row.storedBytes;
    if (row.storedBytes < largeBytes) return [];
    const names = this.#prepared('DELETE FROM files WHERE seq = ? RETURNING name').all(sequence);
    return names.map(({ name }) => ({ file: String(name) }));
  }

  row(sequence: number): TaskRow | undefined {
    // A number from outside may be larger than any that was ever given out.
    if (!Number.isSafeInteger(sequence)) return undefined;
    const values = this.#rowBySequence.get(sequence) as unknown as SQLOutputValue[] | undefined;
    return values === undefined ? undefined : rowFrom(values);
  }

  rowOf(id: string): TaskRow | undefined {
    const row = this.row(sequenceOf(id));
    return row?.id === id ? row : undefined;
  }

  kept(row: TaskRow, parts: { payload: boolean; result: boolean }): KeptTask {
    const sequence = sequenceOf(row.id);
    return {
      row,
      ...(parts.payload ? { payload: this.#text('payload', sequence) ?? 'null' } : {}),
      ...(parts.result ? { result: this.#text('result', sequence) ?? null } : {}),
    };
  }

  /** Names of the files of all tasks that are there after `nowMs`, in milliseconds of wall time; without it, of all. */
  files(nowMs = 0): Set<string> {
    const query = 'SELECT name FROM files JOIN tasks USING (seq) WHERE coalesce(expires_at_ms, ?1) >= ?1';
    const found = this.#prepared(query).all(nowMs);
    return new Set(found.map(({ name }) => String(name)));
  }

  rowByKey(idempotencyKey: string): TaskRow | undefined {
    const sequence = this.#number(queueQueries.byKey, 'seq', idempotencyKey);
    return sequence === undefined ? undefined : this.row(sequence);
  }

  /** The ready task of the highest priority and then the greatest age, of the given types or of any. */
  nextReady(types: readonly string[]): TaskRow | undefined {
    let best: { seq: number; priority: number } | undefined;
    if (types.length === 0) {
      const sequence = this.#number(queueQueries.readyOfAny, 'seq');
      return sequence === undefined ? undefined : this.row(sequence);
    }
    // One seek per type; the merge is done here, for an IN would make SQLite sort all that is ready.
    for (const type of types) {
      const found = this.#prepared(queueQueries.readyOfType).get(type) as { seq: number; priority: number } | undefined;
      if (found === undefined) continue;
      const better =
        best === undefined ||
        found.priority > best.priority ||
        (found.priority === best.priority && found.seq < best.seq);
      if (better) best = found;
    }
    return best === undefined ? undefined : this.row(best.seq);
  }

  /** Sequence numbers for `promote` and `prune`. */
  sequences(query: 'due' | 'expired', nowMs: number, limit: number): number[] {
    return this.#prepared(queueQueries[query])
      .all(nowMs, limit)
      .map(({ seq }) => Number(seq));
  }

  earliest(query: 'nextDue' | 'nextExpiry'): number | null {
    return this.#number(queueQueries[query], 'at') ?? null;
  }

  /** A stretch of the list behind `after`, oldest first, with the little that a filter needs. */
  stretch(status: TaskStatus | undefined, after: number, limit: number): { seq: number; task_type: string }[] {
    const found =
      status === undefined
        ? this.#prepared(queueQueries.all).all(after, limit)
        : this.#prepared(queueQueries.ofStatus).all(status, after, limit);
    return found as unknown as { seq: number; task_type: string }[];
  }

  lastSequence(): number {
    return this.#number('SELECT max(seq) AS seq FROM tasks', 'seq') ?? 0;
  }

  close(): void {
    this.#statements.clear();
    this.#updates.clear();
    this.#database.close();
  }

  #keep(part: Part, sequence: number, text: KeptText): void {
    if (!isInFile(text)) this.#prepared(`INSERT INTO ${part}s (seq, json) VALUES (?, ?)`).run(sequence, text);
    else this.#prepared('INSERT INTO files (seq, part, name) VALUES (?, ?, ?)').run(sequence, part, text.file);
  }

  #text(part: Part, sequence: number): string | ValueFile | undefined {
    const json = this.#prepared(`SELECT json FROM ${part}s WHERE seq = ?`).get(sequence)?.json;
    if (typeof json === 'string') return json;
    const query = 'SELECT name AS file FROM files WHERE seq = ? AND part = ?';
    return this.#prepared(query).get(sequence, part) as unknown as ValueFile | undefined;
  }

  #number(query: string, column: string, ...values: SQLInputValue[]): number | undefined {
    const found = this.#prepared(query).get(...values)?.[column];
    return typeof found === 'number' ? found : undefined;
  }

  #countAll(): MutableTotals {
    const counts = Object.fromEntries(taskStatuses.map((status) => [status, 0])) as Record<TaskStatus, number>;
    const totals: MutableTotals = { counts, tasks: 0, bytes: 0 };
    const query = 'SELECT status, count(*) AS tasks, sum(stored_bytes) AS bytes FROM tasks GROUP BY status';
    for (const found of this.#prepared(query).all()) {
      counts[found.status as TaskStatus] = Number(found.tasks);
      totals.tasks += Number(found.tasks);
      totals.bytes += Number(found.bytes);
    }
    return totals;
  }

  /** The statement for a patch of this shape; there are about as many shapes as verbs. */
  #update(patch: RowPatch): Update {
    const names = Object.keys(patch) as (keyof RowPatch)[];
    const shape = names.join();
    const known = this.#updates.get(shape);
    if (known !== undefined) return known;
    const sets = names.map((field) => `${columnOf[field]} = ?`).join(', ');
    const update = { names, statement: this.#database.prepare(`UPDATE tasks SET ${sets} WHERE seq = ?`) };
    this.#updates.set(shape, update);
    return update;
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}
