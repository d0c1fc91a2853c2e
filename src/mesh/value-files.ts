/**
 * Large JSON texts, each in a file of its own, so that a megabyte keeps nobody waiting for long: the runtime opens and syncs files
 * beside the loop (Node writes them there, too), SQLite does all of it in the loop, and twice. Owned by the cache and by the queue, whose rows name the files.
 *
 * A file is written before a row names it, and removed after the last row that did. What is left over when a process ends in
 * between is removed when the folder is opened. A name ends in the text's checksum, so that a file which is not what was written
 * is as good as none.
 */

import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { crc32 } from 'node:zlib';
import { getLogger } from '@logtape/logtape';
import { inBulkTurn } from './bulk-turns.ts';

/** From here on a text gets a file, in UTF-8 bytes of JSON: below, a row is the faster of the two. */
export const largeBytes = 64 * 1024;

interface ValueFilesOptions {
  /** Made when it is not there; its own folder must be. */
  readonly folder: string;
  /** Names that rows have; every other file is removed. */
  readonly known: ReadonlySet<string>;
  /** Whether a file is on disk, and not only handed to the system, before its name is answered. */
  readonly durable: boolean;
  /** Whose they are, in logs. */
  readonly owner: 'cache' | 'queue';
}

export class ValueFiles {
  readonly #folder: string;
  readonly #durable: boolean;
  readonly #owner: ValueFilesOptions['owner'];
  /** Removals that are under way. */
  readonly #removals = new Set<Promise<void>>();
  readonly #missing: Set<string>;

  private constructor({ folder, known, durable, owner }: ValueFilesOptions) {
    this.#folder = folder;
    this.#durable = durable;
    this.#owner = owner;
    this.#missing = new Set(known);
  }

  /** Those of the known that were not there when the folder was opened. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  /** Rejects with the system's error. */
  static async open(options: ValueFilesOptions): Promise<ValueFiles> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    // One that was copied here by hand may be open to others.
    if (process.platform !== 'win32') await chmod(options.folder, 0o700);
    const files = new ValueFiles(options);
    for (const entry of await readdir(options.folder, { withFileTypes: true })) {
      if (files.#missing.delete(entry.name)) continue;
      if (entry.isDirectory())
        files.#log.warn('{path} is none of its files and stays', { path: files.pathOf(entry.name) });
      else files.remove(entry.name);
    }
    const count = files.#removals.size;
    if (count > 0)
      files.#log.info('Removing {count} files of {folder} that nothing names', { count, folder: options.folder });
    return files;
  }

  /** Answers the new file's name. Rejects with the system's error, and leaves nothing behind then. */
  async write(text: string): Promise<string> {
    // Whoever made the text has just used up a turn of the loop; the checksum and the bytes take as long.
    await new Promise<void>((resolve) => inBulkTurn(resolve));
    const name = `${randomUUID()}.${checksum(text)}`;
    try {
      await this.#writeFile(name, text);
      return name;
    } catch (thrown) {
      this.remove(name);
      throw thrown;
    }
  }

  /** Undefined when there is no such file any more, or when it is not what was written. Rejects with the system's error. */
  async read(name: string): Promise<string | undefined> {
    try {
      const text = await readFile(this.pathOf(name), 'utf8');
      // Names from before they had one are taken at their word.
      const [, sum = checksum(text)] = name.split('.');
      return sum === checksum(text) ? text : undefined;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }

  /** In the background: a file that nobody names any more is in nobody's way. */
  remove(name: string): void {
    const removal = rm(this.pathOf(name), { force: true })
      .catch((error) => {
        const text = 'A file could not be removed and will be when the node starts: {error}';
        this.#log.warn(text, { error });
      })
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** All removals have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  pathOf(name: string): string {
    return join(this.#folder, name);
  }

  get #log() {
    return getLogger(['taskmesh', this.#owner]);
  }

  async #writeFile(name: string, text: string): Promise<void> {
    await using file = await open(this.pathOf(name), 'wx', 0o600);
    await file.writeFile(text);
    if (!this.#durable) return;
    await file.sync();
    await this.#syncFolder();
  }

  /** A new file's name is on disk only when its folder is. Windows has no such thing, and needs none. */
  async #syncFolder(): Promise<void> {
    if (process.platform === 'win32') return;
    await using folder = await open(this.#folder, 'r');
    await folder.sync();
  }
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');
