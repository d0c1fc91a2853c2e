/**
 * Payloads and results that are too large for a row, in files beside the database. Owned by the SQLite store, which names them in
 * its rows: only after they are on disk, so that what is accepted is, too.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { getLogger } from '@logtape/logtape';
import { MeshError } from '../mesh/errors.ts';
import { largeBytes, ValueFiles } from '../mesh/value-files.ts';
import { fileError, unreadableFile } from './sqlite-errors.ts';
import type { StoredTask, TaskRow } from './task-row.ts';

const log = getLogger(['taskmesh', 'queue']);

/** The name of the file that has a text. */
export interface ValueFile {
  readonly file: string;
}

interface KeptFile extends ValueFile {
  /** Of the text, in UTF-8. */
  readonly bytes: number;
}

type Part = 'payload' | 'result';

/** What a database says of its files. */
interface NamedFiles {
  readonly known: ReadonlySet<string>;
  /** Of those, the ones whose tasks are not over yet. */
  readonly needed: Set<string>;
  /** It has never had a task. */
  readonly isNew: boolean;
}

/** JSON text for a row to have, or the file that has it. */
export type KeptText = string | KeptFile;

/** A task with what its rows have of its texts. */
export interface KeptTask {
  readonly row: TaskRow;
  readonly payload?: string | ValueFile;
  readonly result?: string | ValueFile | null;
}

/** Whether a text gets a file. Most are so short that nobody needs to count: a UTF-16 unit is three bytes of UTF-8 at most. */
export function isLarge(text: string | undefined): text is string {
  return text !== undefined && text.length * 3 >= largeBytes && Buffer.byteLength(text) >= largeBytes;
}

export function isInFile<Text extends ValueFile>(text: string | Text | null | undefined): text is Text {
  return typeof text === 'object' && text !== null;
}

const folderOf = (path: string): string => `${path}-values`;

export class LargeTexts {
  readonly #files: ValueFiles;
  /** Paths of files that the log tells of already. */
  readonly #complained = new Set<string>();

  private constructor(files: ValueFiles) {
    this.#files = files;
  }

  /** In the folder `<path>-values`. Throws `storage_failed`. */
  static async open(path: string, rows: NamedFiles): Promise<LargeTexts> {
    const folder = folderOf(path);
    try {
      setForeignAside(folder, rows);
      const { known, needed } = rows;
      const files = await ValueFiles.open({ folder, known, durable: true, owner: 'queue' });
      const count = needed.intersection(files.missing).size;
      const text =
        '{count} payloads or results are missing in {folder}: put them back from a backup, or cancel their tasks';
      if (count > 0) log.error(text, { count, folder });
      return new LargeTexts(files);
    } catch (thrown) {
      throw fileError(folder, thrown);
    }
  }

  /**
   * Puts the texts on disk, all or none, and has the commit name them: what it did not tell `named` of is removed. Throws
   * `storage_failed` and what the commit throws.
   */
  async writing<T>(
    texts: readonly string[],
    commit: (files: readonly KeptFile[], named: (file: KeptFile) => void) => Promise<T>,
  ): Promise<T> {
    const files = await this.#write(texts);
    const unnamed = new Set(files);
    try {
      return await commit(files, (file) => void unnamed.delete(file));
    } finally {
      this.remove(unnamed);
    }
  }

  /** No row names them any more. */
  remove(files: Iterable<ValueFile>): void {
    for (const { file } of files) this.#files.remove(file);
  }

  /** The task with its texts. Throws `data_corrupt` when a file is gone or damaged, and `storage_failed`. */
  async read({ row, payload, result }: KeptTask): Promise<StoredTask> {
    const [wholePayload, wholeResult] = await Promise.all([
      this.#text(row.id, 'payload', payload),
      this.#text(row.id, 'result', result),
    ]);
    return {
      row,
      ...(typeof wholePayload === 'string' ? { payload: wholePayload } : {}),
      ...(wholeResult === undefined ? {} : { result: wholeResult }),
    };
  }

  /** For the log, once per file: what `read` threw is no task that was removed meanwhile. */
  complain(error: MeshError): void {
    const path = String(error.details?.path);
    if (this.#complained.has(path)) return;
    this.#complained.add(path);
    log.error('{message}', { message: error.message, path });
  }

  /** Removals have ended. */
  settled(): Promise<void> {
    return this.#files.settled();
  }

  async #write(texts: readonly string[]): Promise<readonly KeptFile[]> {
    const written = await Promise.allSettled(texts.map((text) => this.#files.write(text)));
    const failed = written.find((one) => one.status === 'rejected');
    const files = written.flatMap((one, index) =>
      one.status === 'rejected' ? [] : [{ file: one.value, bytes: Buffer.byteLength(texts[index] ?? '') }],
    );
    if (failed === undefined) return files;
    this.remove(files);
    const error = fileError(this.#files.pathOf(''), failed.reason);
    log.error('A large payload or result cannot be written: {message}', { message: error.message });
    throw error;
  }

  async #text<Text extends string | null | undefined>(
    id: string,
    part: Part,
    text: Text | ValueFile,
  ): Promise<Text | string> {
    if (!isInFile(text)) return text;
    const path = this.#files.pathOf(text.file);
    let found: string | undefined;
    try {
      found = await this.#files.read(text.file);
    } catch (thrown) {
      throw unreadableFile(path, thrown);
    }
    if (found === undefined) throw lost(id, part, path);
    return found;
  }
}

/** `data_corrupt`: a row names a file that is not there, or not as it was written. */
function lost(id: string, part: Part, path: string): MeshError {
  const instead =
    part === 'payload' ? 'cancel the task and submit it anew' : 'submit the task anew to have it done again';
  return new MeshError(
    'data_corrupt',
    `The ${part} of task ${id} is missing or damaged on disk: ${path}. Put the file back from a backup, or ${instead}, with a new idempotency key if it has one.`,
    { details: { task_id: id, path } },
  );
}

/**
 * Moves files that are another queue's out of the way, which would be taken for leftovers: whose database was moved or replaced may
 * want them back. Leftovers are files beside those of this queue; files of which a queue knows none, while its own are missing or
 * it never had a task, are another's.
 */
function setForeignAside(folder: string, { known, isNew }: NamedFiles): void {
  const present = existsSync(folder) ? readdirSync(folder) : [];
  if (present.length === 0 || present.some((name) => known.has(name)) || !(isNew || known.size > 0)) return;
  const aside = `${folder}-${randomUUID()}`;
  renameSync(folder, aside);
  const text =
    'The queue knows none of the {count} files in {folder}, so they were moved to {aside}: they are of use beside the database that they belong to, and nowhere else';
  log.warn(text, { count: present.length, folder, aside });
}
