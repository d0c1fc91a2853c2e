/**
 * One node per data folder. Called by the P2P node before it opens anything in the folder.
 *
 * The lock is an exclusive transaction on a file of its own, held for the node's life. The operating system ends it with the
 * process, so a kill -9 leaves nothing to clean up; it holds between threads of one process too.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../mesh/errors.ts';
import { closeToOthers, makeFolder } from '../mesh/own-files.ts';
import { sqliteTrouble, storageError } from './sqlite-errors.ts';

interface FolderLock extends Disposable {
  /** Lets others have the folder. Idempotent. */
  release(): void;
}

/** Locks that this process holds. */
const heldLocks = new Set<DatabaseSync>();

/**
 * Takes the folder, and makes it (0700) if it is not there.
 *
 * Throws `data_folder_locked`, `invalid_config`, `data_corrupt` or `storage_failed`.
 */
export function lockDataFolder(folder: string): FolderLock {
  const path = join(folder, 'lock.sqlite');
  let database: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    database = new DatabaseSync(path, { timeout: 0 });
    closeToOthers(path);
    database.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    database?.close();
    throw lockError(folder, path, thrown);
  }
  const held = database;
  // A lock that nobody refers to would be given back by the garbage collector.
  heldLocks.add(held);
  const release = (): void => {
    heldLocks.delete(held);
    if (held.isOpen) held.close();
  };
  return { release, [Symbol.dispose]: release };
}

function lockError(folder: string, path: string, thrown: unknown): MeshError {
  if (thrown instanceof MeshError) return thrown;
  const trouble = sqliteTrouble(thrown);
  if (trouble === 'locked') {
    return new MeshError(
      'data_folder_locked',
      `Another node holds the data folder ${folder}. Stop that node, or give this one a folder of its own (--data).`,
      { cause: thrown, details: { folder } },
    );
  }
  if (trouble === 'corrupt') {
    const text = `${path} is not the lock of a data folder. Make sure that no node uses the folder, remove the file, and start again.`;
    return new MeshError('data_corrupt', text, { cause: thrown, details: { path } });
  }
  if (trouble !== undefined) return storageError(path, thrown);
  const said = thrown instanceof Error ? thrown.message : 'no reason given';
  const text = `The data folder ${folder} cannot be used (${said}). Check that it can be written, or choose another one (--data).`;
  return new MeshError('storage_failed', text, { cause: thrown, details: { folder } });
}
