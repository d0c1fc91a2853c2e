/** Makes errors of `node:sqlite` into the errors of the table. Called by everything that touches a database file here. */

import { MeshError, toMeshError } from '../mesh/errors.ts';

/** What SQLite said went wrong, as far as it matters. */
type SqliteTrouble = 'corrupt' | 'locked' | 'other';

const corruptCodes = new Set([11, 26]);
const lockedCodes = new Set([5, 6]);

/** Undefined for what did not come from SQLite. Deno leaves the code out of some errors, but never the text. */
export function sqliteTrouble(thrown: unknown): SqliteTrouble | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || thrown.code !== 'ERR_SQLITE_ERROR') return undefined;
  const code = 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
  if (code === undefined ? /malformed|not a database/.test(thrown.message) : corruptCodes.has(code)) return 'corrupt';
  if (code === undefined ? /is locked/.test(thrown.message) : lockedCodes.has(code)) return 'locked';
  return 'other';
}

/** `data_corrupt`, with what to do about it. */
export function corruptFile(path: string, cause: unknown): MeshError {
  return new MeshError(
    'data_corrupt',
    `The queue's file ${path} is damaged or not a database of taskmesh. Stop the node, then put a backup of it in its place, ` +
      'or move it away (with what has the same name and ends in -wal, -shm and -values) to start with an empty queue.',
    { cause, details: { path } },
  );
}

/** What a failed read or write is for a caller: `data_corrupt`, `storage_failed`, or what it was. */
export function storageError(path: string, thrown: unknown): MeshError {
  const trouble = sqliteTrouble(thrown);
  if (trouble === undefined) return toMeshError(thrown);
  if (trouble === 'corrupt') return corruptFile(path, thrown);
  return fileError(path, thrown);
}

const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : 'no reason given');

/** `storage_failed`, for a file that the system did not let be read. */
export function unreadableFile(path: string, thrown: unknown): MeshError {
  return new MeshError(
    'storage_failed',
    `${path} cannot be read (${wordsOf(thrown)}). Check that it is a file, that this user may read it and that its disk is well, then try again.`,
    { cause: thrown, details: { path } },
  );
}

/** `storage_failed`, for a file that the system did not let be written. */
export function fileError(path: string, thrown: unknown): MeshError {
  const said = wordsOf(thrown);
  return new MeshError(
    'storage_failed',
    `The disk refused it (${said}); nothing was changed. Check that there is room on the disk of ${path} and that it can be written, then try again.`,
    { cause: thrown, details: { path } },
  );
}
