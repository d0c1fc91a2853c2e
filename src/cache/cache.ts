/**
 * The cache of one node: JSON values with a time to live, in a SQLite file of their own, large ones in files beside it. Called by
 * the P2P node with inputs that were checked against the table of operations.
 *
 * Promises to stay within its bounds. When room is needed, the values that expire first go, then those unused for longest.
 */

import { getLogger } from '@logtape/logtape';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import { largeBytes, ValueFiles } from '../mesh/value-files.ts';
import { cacheStorageError, openCacheFile } from './cache-file.ts';
import { type CacheLimits, type CacheRow, CacheRows, type NewCacheRow, storedKey } from './cache-rows.ts';

const log = getLogger(['taskmesh', 'cache']);

/** A checked input without whom it is for. */
type CacheInput<Name extends OperationName> = Omit<CheckedInput<Name>, 'remote_peer_id' | 'remote_multiaddr'>;

interface CacheOptions {
  /** The SQLite file; made if it is not there, like the folder `<path>-values` beside it. Its folder must exist. */
  readonly path: string;
  readonly limits: CacheLimits;
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

/** Opens the cache; a damaged file is moved aside. Rejects with `storage_failed`. */
export async function openCache(options: CacheOptions): Promise<Cache> {
  const database = openCacheFile(options.path);
  try {
    const rows = database.prepare('SELECT file FROM entries WHERE file IS NOT NULL').all();
    const known = new Set(rows.map(({ file }) => String(file)));
    const files = await ValueFiles.open({
      folder: `${options.path}-values`,
      known,
      durable: false,
      owner: 'cache',
    });
    const cacheRows = new CacheRows(database, options.limits, (file) => files.remove(file));
    return new SqliteCache(cacheRows, files, options);
  } catch (thrown) {
    database.close();
    throw cacheStorageError(options.path, thrown);
  }
}

class SqliteCache implements Cache {
  readonly #rows: CacheRows;
  readonly #files: ValueFiles;
  readonly #path: string;
  readonly #limits: CacheLimits;
  readonly #clock: Clock;
  #pruneAtMs = Number.POSITIVE_INFINITY;
  #cancelPrune: CancelTimer | undefined;

  constructor(rows: CacheRows, files: ValueFiles, { path, limits, clock }: CacheOptions) {
    this.#rows = rows;
    this.#files = files;
    this.#path = path;
    this.#limits = limits;
    this.#clock = clock;
    this.#pruneNext();
  }

  get({ key }: CacheInput<'cache_get'>): Promise<OperationOutput<'cache_get'>> {
    return this.#run(async () => {
      for (;;) {
        const found = this.#find(key);
        if (found === undefined) return { key, hit: false, value: null };
        this.#touch(key, found);
        if (found.file === null) return { key, hit: true, value: JSON.parse(found.json ?? 'null') as unknown };
        const read = parsed(await this.#files.read(found.file));
        if (read !== undefined) return { key, hit: true, value: read.value };
        // Either it was replaced meanwhile, and the next look finds the new one, or the machine crashed before it was on disk.
        this.#mustBeOpen();
        if (this.#rows.find(key)?.file === found.file) this.#rows.remove(key);
      }
    });
  }

  has({ key }: CacheInput<'cache_has'>): Promise<OperationOutput<'cache_has'>> {
    return this.#run(() => ({ key, hit: this.#find(key) !== undefined }));
  }

  set({ key, value, ttl_s }: CacheInput<'cache_set'>): Promise<OperationOutput<'cache_set'>> {
    return this.#run(async () => {
      const json = JSON.stringify(value) ?? 'null';
      const bytes = Buffer.byteLength(json) + Buffer.byteLength(storedKey(key));
      const { maxCacheBytes, maxCacheEntries } = this.#limits;
      if (bytes > maxCacheBytes || maxCacheEntries < 1) {
        const text = `The value takes ${bytes} bytes and the whole cache has ${maxCacheBytes}. Store something smaller.`;
        throw new MeshError('cache_full', text, { retryable: false, details: { bytes, max_bytes: maxCacheBytes } });
      }
      const usedAtMs = this.#nowMs();
      const expiresAtMs = ttl_s > 0 ? usedAtMs + Math.ceil(ttl_s * 1000) : null;
      const row = { key, bytes, usedAtMs, expiresAtMs };
      if (bytes < largeBytes) this.#put({ ...row, json, file: null });
      else await this.#putFile(row, json);
      return { key };
    });
  }

  delete({ key }: CacheInput<'cache_delete'>): Promise<OperationOutput<'cache_delete'>> {
    return this.#run(() => {
      const deleted = this.#find(key) !== undefined;
      this.#rows.remove(key);
      return { key, deleted };
    });
  }

  stats(): { entries: number; bytes: number } {
    return this.#rows.totals();
  }

  async close(): Promise<void> {
    this.#cancelPrune?.();
    this.#cancelPrune = undefined;
    this.#rows.close();
    await this.#files.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run<T>(verb: () => T | Promise<T>): Promise<T> {
    this.#mustBeOpen();
    try {
      return await verb();
    } catch (thrown) {
      throw cacheStorageError(this.#path, thrown);
    }
  }

  #mustBeOpen(): void {
    if (!this.#rows.isOpen) throw new MeshError('mesh_down', 'The node is stopping. Try again when it is up.');
  }

  /** The entry, unless it has expired. */
  #find(key: string): CacheRow | undefined {
    const found = this.#rows.find(key);
    const isOver = found !== undefined && found.expiresAtMs !== null && found.expiresAtMs <= this.#nowMs();
    return isOver ? undefined : found;
  }

  async #putFile(row: Omit<NewCacheRow, 'json' | 'file'>, json: string): Promise<void> {
    const file = await this.#files.write(json);
    try {
      this.#mustBeOpen();
      this.#put({ ...row, json: null, file });
    } catch (thrown) {
      this.#files.remove(file);
      throw thrown;
    }
  }

  #put(row: NewCacheRow): void {
    this.#rows.put(row);
    if (row.expiresAtMs !== null) this.#pruneAt(row.expiresAtMs);
  }

  #touch(key: string, { usedAtMs }: CacheRow): void {
    const nowMs = this.#nowMs();
    if (Math.abs(nowMs - usedAtMs) < useGrainMs) return;
    try {
      this.#rows.touch(key, nowMs);
    } catch (thrown) {
      // A full disk must not keep anybody from reading.
      log.warn('The use of a cached value could not be noted: {error}', { error: thrown });
    }
  }

  #pruneNext(): void {
    const nextMs = this.#rows.nextExpiryMs();
    if (nextMs !== undefined) this.#pruneAt(nextMs);
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
      this.#rows.prune(this.#nowMs(), pruneBatch);
      this.#pruneNext();
    } catch (thrown) {
      log.error('The cache could not be pruned and will be tried again: {error}', { error: thrown });
      this.#pruneAt(this.#nowMs() + longestSleepMs);
    }
  }

  #nowMs(): number {
    return Math.round(this.#clock.nowMs());
  }
}

/** Undefined for what is no JSON: a file that a crash of the machine has left in pieces. */
function parsed(text: string | undefined): { value: unknown } | undefined {
  try {
    return text === undefined ? undefined : { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
