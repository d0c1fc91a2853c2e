/**
 * Opens the cache's file. Called by `cache.ts`. A damaged file is no loss that anybody must decide about: it is moved aside
 * and a new one is begun.
 */

import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { getLogger } from '@logtape/logtape';
import { MeshError } from '../mesh/errors.ts';
import { closeToOthers } from '../mesh/own-files.ts';

const log = getLogger(['taskmesh', 'cache']);

/** A file of another version is treated like a damaged one. */
const schemaVersion = 2;

const schema = `
  BEGIN IMMEDIATE;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    json TEXT,
    file TEXT,
    bytes INTEGER NOT NULL,
    expires_at_ms INTEGER,
    used_at_ms INTEGER NOT NULL,
    use_order INTEGER NOT NULL,
    CHECK ((json IS NULL) <> (file IS NULL))
  ) STRICT;
  CREATE INDEX expiring ON entries (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  CREATE INDEX unused ON entries (use_order) WHERE expires_at_ms IS NULL;
  PRAGMA user_version = ${schemaVersion};
  COMMIT;
`;

/** Throws `storage_failed`. */
export function openCacheFile(path: string): DatabaseSync {
  try {
    const database = open(path);
    if (database !== undefined) return database;
    moveAside(path);
    const fresh = open(path);
    if (fresh !== undefined) return fresh;
  } catch (thrown) {
    throw cacheStorageError(path, thrown);
  }
  throw cacheStorageError(path, new Error('a new file is damaged'));
}

/** What a failed read or write of the cache is for a caller. */
export function cacheStorageError(path: string, thrown: unknown): MeshError {
  if (thrown instanceof MeshError) return thrown;
  const said = thrown instanceof Error ? thrown.message : 'no reason given';
  return new MeshError(
    'storage_failed',
    `The cache could not be read or written (${said}). Check that there is room on the disk of ${path} and that it can be written. A damaged cache is replaced when the node starts.`,
    { cause: thrown, details: { path } },
  );
}

/** Undefined when the file is damaged. */
function open(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 1_000 });
  try {
    closeToOthers(path);
    const problem = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
    if (problem !== 'ok') throw new Error(String(problem));
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
    if (version !== 0 && version !== schemaVersion) throw new Error(`it has schema version ${version}`);
    // NORMAL: a crash of the machine may lose the last entries, never the file.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216;');
    if (version === 0) database.exec(schema);
    return database;
  } catch (thrown) {
    database.close();
    if (!isDamage(thrown)) throw thrown;
    log.warn('The cache {path} is damaged and is begun anew: {error}', { path, error: thrown });
    return undefined;
  }
}

/** Locked, full and read-only files are not damaged; Deno leaves the code out of some errors, but never the text. */
function isDamage(thrown: unknown): boolean {
  return !(thrown instanceof Error && /locked|busy|full|readonly|unable to open|disk I\/O/.test(thrown.message));
}

/** One damaged file is kept, for who wants to look at it; the next one takes its place. */
function moveAside(path: string): void {
  for (const ending of ['-wal', '-shm']) rmSync(path + ending, { force: true });
  renameSync(path, `${path}.damaged`);
}
