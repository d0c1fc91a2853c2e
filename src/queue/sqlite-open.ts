/** Opens the queue's file: checks it, brings it up to date, sets it to be durable. Called by `sqlite-store.ts`. */

import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../mesh/errors.ts';
import { closeToOthers } from '../mesh/own-files.ts';
import { corruptFile, sqliteTrouble, storageError } from './sqlite-errors.ts';
import { migrations } from './sqlite-schema.ts';

/** Larger files are not read through at start; damage in them is found when the page is read. */
const maxCheckedBytes = 256 * 1024 * 1024;

/** How long a write waits for another program that has the file open, in milliseconds. It blocks the thread. */
const busyTimeoutMs = 1_000;

/** Throws `data_corrupt` or `storage_failed`; the file is left as it was then. */
export function openQueueFile(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    closeToOthers(path);
    check(database, path);
    // WAL and FULL together: a commit is on disk before it returns, at the price of one fsync.
    // fullfsync is what makes an fsync one on macOS; elsewhere it changes nothing.
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; ' +
        'PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;',
    );
    migrate(database);
    return database;
  } catch (thrown) {
    database?.close();
    if (thrown instanceof MeshError) throw thrown;
    throw storageError(path, thrown);
  }
}

function check(database: DatabaseSync, path: string): void {
  const version = userVersion(database);
  if (version > migrations.length) {
    throw new MeshError(
      'data_corrupt',
      `The queue's file ${path} was written by a newer taskmesh (its schema is ${version}, this program knows ${migrations.length}). ` +
        'Run the newer version, put back a backup from before it, or move the file away to start with an empty queue.',
      { details: { path, version } },
    );
  }
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxCheckedBytes) return;
  try {
    const problem = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
    if (problem !== 'ok') throw corruptFile(path, new Error(String(problem)));
  } catch (thrown) {
    // A file whose schema cannot even be read answers with all kinds of errors.
    if (thrown instanceof MeshError || sqliteTrouble(thrown) === 'locked') throw thrown;
    throw corruptFile(path, thrown);
  }
}

function migrate(database: DatabaseSync): void {
  for (let version = userVersion(database); version < migrations.length; version++)
    database.exec(`BEGIN IMMEDIATE; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT;`);
}

function userVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
}
