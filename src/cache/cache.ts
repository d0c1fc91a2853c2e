/**
 * The cache of one node: small JSON values with a time to live, in a SQLite file of their own. Called by the P2P node with
 * inputs that were checked against the table of operations.
 *
 * Promises to stay within its bounds. When room is needed, the values that expire first go, then those unused for longest.
 */

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { getLogger } from '@logtape/logtape';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import { cacheStorageError, openCacheFile } from './cache-file.ts';

const log = getLogger(['taskmesh', 'cache']);

/** A checked input without whom it is for. */
type CacheInput<Name extends OperationName> = Omit<CheckedInput<Name>, 'remote_peer_id' | 'remote_multiaddr'>;

interface CacheOptions {
  /** The SQLite file; made if it is not there. Its folder must exist. */
  readonly path: string;
  readonly limits: Pick<Limits, 'maxCacheEntries' | 'maxCacheBytes'>;
  readonly clock: Clock;
}

/** Each verb is the operation `cache_…`; they reject only with `MeshError`s: `storage_failed`, `mesh_down`. */
export interface Cache extends AsyncDisposable {
  get(input: CacheInput<'cache_get'>): Promise<OperationOutput<'cache_get'>>;
  /** [`cache_full`: the value alone is over the bound] */
  set(input: CacheInput<'cache_set'>): Promise<OperationOutput<'cache_set'>>;
  has(input: CacheInput<'cache_has'>): Promise<OperationOutput<'cache_has'>>;
  delete(input: CacheInput<'cache_delete'>): Promise<OperationOutput<'cache_delete'>>;
  /** Entries and their UTF-8 bytes, keys included; expired ones count until they are pruned. */
  stats(): { entries: number; bytes: number };
  /** Idempotent. */
  close(): Promise<void>;
}

/** How exactly it is known when a value was last used: a read within this time writes nothing. */
const useGrainMs = 1_000;

/** Expired entries are removed at most this often and this many at once; nobody sees them meanwhile. */
const prunePauseMs = 1_000;
const pruneBatch = 500;
const longestSleepMs = 60_000;

/** Opens the cache; a damaged file is moved aside. Throws `storage_failed`. */
export async function openCache(options: CacheOptions): Promise<Cache> {
  return new SqliteCache(openCacheFile(options.path), options);
}

class SqliteCache implements Cache {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #limits: CacheOptions['limits'];
  readonly #clock: Clock;
  readonly #statements = new Map<string, StatementSync>();
  #entries = 0;
  #bytes = 0;
  /** Grows with every use: the order in which values go unused. */
  #uses = 0;
  #pruneAtMs = Number.POSITIVE_INFINITY;
  #cancelPrune: CancelTimer | undefined;

  constructor(database: DatabaseSync, { path, limits, clock }: CacheOptions) {
    this.#database = database;
    this.#path = path;
    this.#limits = limits;
    this.#clock = clock;
    const found = this.#one('SELECT count(*) AS entries, sum(bytes) AS bytes, max(use_order) AS uses FROM entries');
    this.#entries = Number(found?.entries ?? 0);
    this.#bytes = Number(found?.bytes ?? 0);
    this.#uses = Number(found?.uses ?? 0);
    this.#pruneNext();
  }

  get({ key }: CacheInput<'cache_get'>): Promise<OperationOutput<'cache_get'>> {
    return this.#run(() => {
      const found = this.#one('SELECT json, expires_at_ms, used_at_ms FROM entries WHERE key = ?', storedKey(key));
      if (found === undefined || this.#isOver(found)) return { key, hit: false, value: null };
      this.#touch(key, Number(found.used_at_ms));
      return { key, hit: true, value: JSON.parse(String(found.json)) as unknown };
    });
  }

  has({ key }: CacheInput<'cache_has'>): Promise<OperationOutput<'cache_has'>> {
    return this.#run(() => {
      const found = this.#one('SELECT expires_at_ms FROM entries WHERE key = ?', storedKey(key));
      return { key, hit: found !== undefined && !this.#isOver(found) };
    });
  }

  set({ key, value, ttl_s }: CacheInput<'cache_set'>): Promise<OperationOutput<'cache_set'>> {
    return this.#run(() => {
      const json = JSON.stringify(value) ?? 'null';
      const bytes = Buffer.byteLength(json) + Buffer.byteLength(storedKey(key));
      const { maxCacheBytes, maxCacheEntries } = this.#limits;
      if (bytes > maxCacheBytes || maxCacheEntries < 1) {
        const text = `The value takes ${bytes} bytes and the whole cache has ${maxCacheBytes}. Store something smaller.`;
        throw new MeshError('cache_full', text, { retryable: false, details: { bytes, max_bytes: maxCacheBytes } });
      }
      const nowMs = this.#nowMs();
      const expiresAtMs = ttl_s > 0 ? nowMs + Math.ceil(ttl_s * 1000) : null;
      this.#together(() => {
        this.#remove(storedKey(key));
        while (this.#entries >= maxCacheEntries || this.#bytes + bytes > maxCacheBytes) this.#makeRoom();
        this.#write(
          'INSERT INTO entries (key, json, bytes, expires_at_ms, used_at_ms, use_order) VALUES (?, ?, ?, ?, ?, ?)',
          ...[storedKey(key), json, bytes, expiresAtMs, nowMs, ++this.#uses],
        );
        this.#entries++;
        this.#bytes += bytes;
      });
      if (expiresAtMs !== null) this.#pruneAt(expiresAtMs);
      return { key };
    });
  }

  delete({ key }: CacheInput<'cache_delete'>): Promise<OperationOutput<'cache_delete'>> {
    return this.#run(() => {
      const found = this.#one('SELECT expires_at_ms FROM entries WHERE key = ?', storedKey(key));
      const deleted = found !== undefined && !this.#isOver(found);
      this.#together(() => this.#remove(storedKey(key)));
      return { key, deleted };
    });
  }

  stats(): { entries: number; bytes: number } {
    return { entries: this.#entries, bytes: this.#bytes };
  }

  async close(): Promise<void> {
    this.#cancelPrune?.();
    this.#cancelPrune = undefined;
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run<T>(verb: () => T): Promise<T> {
    if (!this.#database.isOpen) throw new MeshError('mesh_down', 'The node is stopping. Try again when it is up.');
    try {
      return verb();
    } catch (thrown) {
      throw cacheStorageError(this.#path, thrown);
    }
  }

  /** All or nothing, the totals included. */
  #together(change: () => void): void {
    const { entries, bytes } = this.stats();
    this.#write('BEGIN IMMEDIATE');
    try {
      change();
      this.#write('COMMIT');
    } catch (thrown) {
      this.#entries = entries;
      this.#bytes = bytes;
      if (this.#database.isTransaction) this.#write('ROLLBACK');
      throw thrown;
    }
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
    const removed = this.#one('DELETE FROM entries WHERE key = ? RETURNING bytes', key);
    if (removed === undefined) return;
    this.#entries--;
    this.#bytes -= Number(removed.bytes);
  }

  #touch(key: string, usedAtMs: number): void {
    const nowMs = this.#nowMs();
    if (Math.abs(nowMs - usedAtMs) < useGrainMs) return;
    try {
      this.#write(
        'UPDATE entries SET used_at_ms = ?, use_order = ? WHERE key = ?',
        nowMs,
        ++this.#uses,
        storedKey(key),
      );
    } catch (thrown) {
      // A full disk must not keep anybody from reading.
      log.warn('The use of a cached value could not be noted: {error}', { error: thrown });
    }
  }

  #isOver(found: Record<string, unknown>): boolean {
    return typeof found.expires_at_ms === 'number' && found.expires_at_ms <= this.#nowMs();
  }

  #pruneNext(): void {
    const next = this.#one('SELECT min(expires_at_ms) AS at FROM entries WHERE expires_at_ms IS NOT NULL')?.at;
    if (typeof next === 'number') this.#pruneAt(next);
  }

  #pruneAt(atMs: number): void {
    if (atMs >= this.#pruneAtMs) return;
    this.#pruneAtMs = atMs;
    this.#cancelPrune?.();
    const delayMs = Math.min(Math.max(atMs - this.#nowMs(), prunePauseMs), longestSleepMs);
    this.#cancelPrune = this.#clock.setTimer(delayMs, () => this.#prune());
  }

  #prune(): void {
    this.#pruneAtMs = Number.POSITIVE_INFINITY;
    try {
      const query = 'SELECT key FROM entries WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?';
      const over = this.#prepared(query).all(this.#nowMs(), pruneBatch);
      this.#together(() => {
        for (const { key } of over) this.#remove(String(key));
      });
      this.#pruneNext();
    } catch (thrown) {
      log.error('The cache could not be pruned and will be tried again: {error}', { error: thrown });
      this.#pruneAt(this.#nowMs() + longestSleepMs);
    }
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

  #nowMs(): number {
    return Math.round(this.#clock.nowMs());
  }
}

/** Databases end texts at a NUL, and UTF-8 has no unpaired surrogates. */
function storedKey(key: string): string {
  return key.toWellFormed().replaceAll('\0', '\uFFFD');
}
