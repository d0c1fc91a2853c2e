/** Folders and files for their owner alone. Used by whatever keeps something on disk. */

import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeshError } from './errors.ts';

/**
 * Makes the folder (0700), and those above it, unless it is there. One level at a time: Node's own recursive `mkdir` never
 * ends where no folder can be made, as under `/proc`.
 *
 * Throws `invalid_config` when there cannot be a folder, or when it cannot be written.
 */
export function makeFolder(folder: string): void {
  try {
    make(folder);
    if (!statSync(folder).isDirectory()) throw new Error('it is no folder');
    refuseReadOnly(folder);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : 'no reason given';
    throw new MeshError(
      'invalid_config',
      `${folder} cannot be used as a folder to write to (${said}). Choose another one, such as --data ~/.taskmesh, or give this user the right to write there.`,
      { cause, details: { folder } },
    );
  }
}

/** Under Deno the question itself needs a permission that a node can do without; what is written first finds out then. */
function refuseReadOnly(folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    if (['EACCES', 'EROFS', 'EPERM'].includes((thrown as { code?: string }).code ?? '')) throw thrown;
  }
}

function make(folder: string): void {
  if (tryMake(folder) !== 'ENOENT') return;
  const above = dirname(folder);
  if (above === folder) return;
  make(above);
  if (tryMake(folder) === 'ENOENT') throw new Error(`no folder can be made in ${above}`);
}

/** Undefined: it was made. Throws what is neither about the folder's being there nor about a missing one above it. */
function tryMake(folder: string): 'EEXIST' | 'ENOENT' | undefined {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return undefined;
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (code === 'EEXIST' || code === 'ENOENT') return code;
    // Some systems say this of a root, or of a folder on a disk that is read-only.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return 'EEXIST';
    throw thrown;
  }
}

/**
 * Takes rights of others on a database's file away, and on the files beside it; those that SQLite makes later take after it.
 * Called when it was just opened, before anything is written. Opens nothing: closing a file would end the process's locks on it.
 */
export function closeToOthers(database: string): void {
  for (const ending of ['', '-wal', '-shm', '-journal']) {
    const mode = statSync(database + ending, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) chmodSync(database + ending, 0o600);
  }
}
