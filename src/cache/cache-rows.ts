/**
 * The entries of the cache as rows of its SQLite file, with their totals, kept within their bounds. Owned by the cache; all of it is
 * synchronous. Throws what SQLite throws.
 */

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Limits } from '../mesh/limits.ts';

export type CacheLimits = Pick<Limits, 'maxCacheEntries' | 'maxCacheBytes'>;

/** A row: its JSON, or the name of the file that has it. */
export interface CacheRow {
  readonly json: string | null;
  readonly file: string | null;
  /** Epoch milliseconds; null for never. */
  readonly expiresAtMs: number | null;
  /** Epoch milliseconds. */
  readonly usedAtMs: number;
}

export interface NewCacheRow extends CacheRow {
  readonly key: string;
  /** UTF-8 bytes of key and JSON. */
  readonly bytes: number;
}

export class CacheRows {
  readonly #database: DatabaseSync;
  readonly #limits: CacheLimits;
  readonly #onUnnamed: (file: string) => void;
  readonly #statements = new Map<string, StatementSync>();
  #entries = 0;
  #bytes = 0;
  /** Grows with every use: the order in which values go unused. */
  #uses = 0;
  /** Files that the transaction under way leaves without a row. */
  #unnamed: string[] = [];

  /** `onUnnamed` is told of each file that no row names any more. */
  constructor(database: DatabaseSync, limits: CacheLimits, onUnnamed: (file: string) => void) {
    this.#database = database;
    this.#limits = limits;
    this.#onUnnamed = onUnnamed;
    const found = this.#one('SELECT count(*) AS entries, sum(bytes) AS bytes, max(use_order) AS uses FROM entries');
    this.#entries = Number(found?.entries ?? 0);
    this.#bytes = Number(found?.bytes ?? 0);
    this.#uses = Number(found?.uses ?? 0);
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  totals(): { entries: number; bytes: number } {
    return { entries: this.#entries, bytes: this.#bytes };
  }

  find(key: string): CacheRow | undefined {
    const found = this.#one(
      'SELECT json, file, expires_at_ms AS expiresAtMs, used_at_ms AS usedAtMs FROM entries WHERE key = ?',
      storedKey(key),
    );
    return found as CacheRow | undefined;
  }

  /** In the key's place, and in that of others when there is no room. */
  put({ key, json, file, bytes, expiresAtMs, usedAtMs }: NewCacheRow): void {
    const { maxCacheBytes, maxCacheEntries } = this.#limits;
    this.#together(() => {
      this.#remove(storedKey(key));
      while (this.#entries >= maxCacheEntries || this.#bytes + bytes > maxCacheBytes) this.#makeRoom();
      this.#write(
        'INSERT INTO entries (key, json, file, bytes, expires_at_ms, used_at_ms, use_order) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[storedKey(key), json, file, bytes, expiresAtMs, usedAtMs, ++this.#uses],
      );
      this.#entries++;
      this.#bytes += bytes;
    });
  }

  remove(key: string): void {
    this.#together(() => this.#remove(storedKey(key)));
  }

  touch(key: string, nowMs: number): void {
    this.#write('UPDATE entries SET used_at_ms = ?, use_order = ? WHERE key = ?', nowMs, ++this.#uses, storedKey(key));
  }

  /** Removes what has expired, `atMost` rows. */
  prune(nowMs: number, atMost: number): void {
    const query = 'SELECT key FROM entries WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?';
    const over = this.#prepared(query).all(nowMs, atMost);
    this.#together(() => {
      for (const { key } of over) this.#remove(String(key));
    });
  }

  /** When the next row expires; undefined when none does. */
  nextExpiryMs(): number | undefined {
    const next = this.#one('SELECT min(expires_at_ms) AS at FROM entries WHERE expires_at_ms IS NOT NULL')?.at;
    return typeof next === 'number' ? next : undefined;
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  /** All or nothing, the totals included. */
  #together(change: () => void): void {
    const { entries, bytes } = this.totals();
    this.#write('BEGIN IMMEDIATE');
    try {
      change();
      this.#write('COMMIT');
    } catch (thrown) {
      this.#unnamed = [];
      this.#entries = entries;
      this.#bytes = bytes;
      if (this.#database.isTransaction) this.#write('ROLLBACK');
      throw thrown;
    }
    for (const file of this.#unnamed.splice(0)) this.#onUnnamed(file);
  }

  #makeRoom(): void {
    const first =
      this.#one('SELECT key FROM entries WHERE expires_at_ms IS NOT NULL ORDER BY expires_at_ms LIMIT 1') ??
      this.#one('SELECT key FROM entries WHERE expires_at_ms IS NULL ORDER BY use_order LIMIT 1');
    // The totals promise that there is one; were they wrong, the loop must end all the same.
    if (first === undefined) throw new Error('the cache is empty and has no room');
    this.#remove(String(first.key));
  }

  #remove(key: string): void {
    const removed = this.#one('DELETE FROM entries WHERE key = ? RETURNING bytes, file', key);
    if (removed === undefined) return;
    if (removed.file !== null) this.#unnamed.push(String(removed.file));
    this.#entries--;
    this.#bytes -= Number(removed.bytes);
  }

  #one(query: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#prepared(query).get(...values);
  }

  #write(text: string, ...values: SQLInputValue[]): void {
    this.#prepared(text).run(...values);
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

/** Databases end texts at a NUL, and UTF-8 has no unpaired surrogates. */
export function storedKey(key: string): string {
  return key.toWellFormed().replaceAll('\0', '\uFFFD');
}
