/**
 * Payloads and results that are too large for a row, in files beside the database. Owned by the SQLite store, which names them in
 * its rows: only after they are on disk, so that what is accepted is, too.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { getLogger } from '@logtape/logtape';
import { MeshError } from '../mesh/errors.ts';
import { largeBytes, ValueFiles } from '../mesh/value-files.ts';
import { fileError } from './sqlite-errors.ts';
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

/**
 * Moves the files of another queue out of the way of a new one, which would take them for leftovers: whose database was moved may
 * want them back. Throws `storage_failed`.
 */
export function setAside(path: string): void {
  const folder = folderOf(path);
  try {
    if (!existsSync(folder) || readdirSync(folder).length === 0) return;
    const aside = `${folder}-${randomUUID()}`;
    renameSync(folder, aside);
    log.warn('The queue {path} is new, so the files of an earlier one were moved to {aside}', { path, aside });
  } catch (thrown) {
    throw fileError(folder, thrown);
  }
}

export class LargeTexts {
  readonly #files: ValueFiles;

  private constructor(files: ValueFiles) {
    this.#files = files;
  }

  /** In the folder `<path>-values`. `known`: the files that rows name. Throws `storage_failed`. */
  static async open(path: string, known: ReadonlySet<string>): Promise<LargeTexts> {
    const folder = folderOf(path);
    try {
      const files = await ValueFiles.open({ folder, known, durable: true, owner: 'queue' });
      const text =
        '{count} payloads or results are missing in {folder}: put them back from a backup, or cancel their tasks';
      if (files.missing > 0) log.error(text, { count: files.missing, folder });
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

  /** The task with its texts. Undefined when a file is gone. Throws `storage_failed`. */
  async read({ row, payload, result }: KeptTask): Promise<StoredTask | undefined> {
    const texts = await Promise.all([this.#text(payload), this.#text(result)]);
    if (texts.includes(gone)) return undefined;
    const [wholePayload, wholeResult] = texts as [string | undefined, string | null | undefined];
    return {
      row,
      ...(wholePayload === undefined ? {} : { payload: wholePayload }),
      ...(wholeResult === undefined ? {} : { result: wholeResult }),
    };
  }

  /** `data_corrupt`: the rows name files that are not there. */
  missing({ row, payload, result }: KeptTask): MeshError {
    const paths = [payload, result].filter(isInFile).map(({ file }) => this.#files.pathOf(file));
    return new MeshError(
      'data_corrupt',
      `A part of task ${row.id} is missing on disk: ${paths.join(' or ')}. Put the file back from a backup, or cancel the task and submit it anew.`,
      { details: { task_id: row.id, paths } },
    );
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
    throw fileError(this.#files.pathOf(''), failed.reason);
  }

  async #text(text: string | ValueFile | null | undefined): Promise<string | null | undefined | typeof gone> {
    if (!isInFile(text)) return text;
    try {
      return (await this.#files.read(text.file)) ?? gone;
    } catch (thrown) {
      throw fileError(this.#files.pathOf(text.file), thrown);
    }
  }
}

const gone = Symbol('gone');
