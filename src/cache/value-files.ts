/**
 * Large values of the cache, each in a file of its own, so that writing a megabyte keeps nobody waiting: the runtime writes files
 * beside the loop, SQLite writes in it, and twice. Owned by the cache, whose rows name the files.
 *
 * A file is written before a row names it, and removed after the last row that did. What is left over when a process ends in
 * between is removed when the cache is opened.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getLogger } from '@logtape/logtape';

const log = getLogger(['taskmesh', 'cache']);

export class ValueFiles {
  readonly #folder: string;
  /** Removals that are under way. */
  readonly #removals = new Set<Promise<void>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder when it is not there. Removes every file but those that are `known`. */
  static async open(folder: string, known: ReadonlySet<string>): Promise<ValueFiles> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const files = new ValueFiles(folder);
    for (const name of await readdir(folder)) if (!known.has(name)) files.remove(name);
    return files;
  }

  /** Answers the new file's name. Rejects with the system's error, and leaves nothing behind then. */
  async write(text: string): Promise<string> {
    const name = randomUUID();
    try {
      await writeFile(this.#path(name), text, { mode: 0o600, flag: 'wx' });
      return name;
    } catch (thrown) {
      this.remove(name);
      throw thrown;
    }
  }

  /** Undefined when there is no such file any more. */
  async read(name: string): Promise<string | undefined> {
    try {
      return await readFile(this.#path(name), 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }

  /** In the background: a file that nobody names any more is in nobody's way. */
  remove(name: string): void {
    const removal = rm(this.#path(name), { force: true })
      .catch((error) => log.warn('A file of the cache could not be removed and will be later: {error}', { error }))
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** All removals have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}
