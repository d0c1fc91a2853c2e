/**
 * The folder `<data>/trust`: whom this node trusts, one file a thing, each written whole and readable by its owner alone. The
 * command line writes it, the running node reads and watches it. Whoever may write it is the operator.
 */

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { getLogger } from '@logtape/logtape';
import type { z } from 'zod';
import { MeshError } from '../mesh/errors.ts';
import { makeFolder } from '../mesh/own-files.ts';
import {
  type JoinEntry,
  joinEntry,
  type MembershipEntry,
  membershipEntry,
  type PeerEntry,
  peerEntry,
  type RevocationEntry,
  revocationEntry,
  type TicketEntry,
  ticketEntry,
} from './entries.ts';
import { writePrivateFile } from './private-file.ts';

const log = getLogger(['taskmesh', 'trust']);

/** Files of one kind that are read; a folder with more is a mistake or an attack. */
const maxFiles = 10_000;

const ending = '.json';

/** The folders in it: a running node watches each. */
export const trustParts = ['peers', 'tickets', 'joins', 'memberships', 'revocations'] as const;
export type TrustPart = (typeof trustParts)[number];

/** One kind of files: a folder, a schema, and what an entry's file is called. */
export class Drawer<Entry> {
  readonly path: string;
  readonly #schema: z.ZodType<Entry>;
  readonly #nameOf: (entry: Entry) => string;

  constructor(path: string, schema: z.ZodType<Entry>, nameOf: (entry: Entry) => string) {
    this.path = path;
    this.#schema = schema;
    this.#nameOf = nameOf;
  }

  /** All entries by their files' names. A file that cannot be read is told of in `damaged`, and in the log. */
  async all(): Promise<{ entries: Map<string, Entry>; damaged: string[] }> {
    const entries = new Map<string, Entry>();
    const damaged: string[] = [];
    for (const file of (await this.#files()).slice(0, maxFiles)) {
      const name = file.slice(0, -ending.length);
      try {
        const entry = await this.get(name);
        if (entry !== undefined) entries.set(name, entry);
      } catch (error) {
        damaged.push(name);
        log.error('{path} cannot be used: {error}', { path: join(this.path, file), error });
      }
    }
    return { entries, damaged };
  }

  /** Undefined: there is none. Throws `data_corrupt`. */
  async get(name: string): Promise<Entry | undefined> {
    const path = this.#file(name);
    try {
      const entry = this.#schema.parse(JSON.parse(await readFile(path, 'utf8')));
      if (this.#nameOf(entry) !== name) throw new Error('it belongs to another name');
      return entry;
    } catch (cause) {
      if ((cause as { code?: string }).code === 'ENOENT') return undefined;
      const why = (cause as Error).message.split('\n')[0];
      throw new MeshError('data_corrupt', `${path} is damaged (${why}). Remove it, and grant or invite again.`, {
        cause,
      });
    }
  }

  async put(entry: Entry): Promise<void> {
    makeFolder(this.path);
    const checked = this.#schema.parse(entry);
    await writePrivateFile(this.#file(this.#nameOf(entry)), Buffer.from(`${JSON.stringify(checked, undefined, 2)}\n`));
  }

  /** True when this call removed it: of several at once, one. */
  async take(name: string): Promise<boolean> {
    try {
      await rm(this.#file(name));
      return true;
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'ENOENT') return false;
      throw thrown;
    }
  }

  async #files(): Promise<string[]> {
    try {
      return (await readdir(this.path)).filter((name) => name.endsWith(ending)).sort();
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'ENOENT') return [];
      throw thrown;
    }
  }

  /** Names come from outside too. */
  #file(name: string): string {
    if (!/^[0-9A-Za-z.]{1,200}$/.test(name)) throw new MeshError('invalid_params', 'That cannot be a file’s name.');
    return join(this.path, name + ending);
  }
}

export class TrustFolder {
  readonly path: string;
  readonly peers: Drawer<PeerEntry>;
  readonly tickets: Drawer<TicketEntry>;
  readonly joins: Drawer<JoinEntry>;
  readonly memberships: Drawer<MembershipEntry>;
  readonly revocations: Drawer<RevocationEntry>;

  constructor(dataFolder: string) {
    this.path = join(dataFolder, 'trust');
    const part = (name: TrustPart): string => join(this.path, name);
    this.peers = new Drawer(part('peers'), peerEntry, ({ peer_id }) => peer_id);
    this.tickets = new Drawer(part('tickets'), ticketEntry, ({ id }) => id);
    this.joins = new Drawer(part('joins'), joinEntry, ({ id }) => id);
    this.memberships = new Drawer(part('memberships'), membershipEntry, ({ issuer }) => issuer);
    this.revocations = new Drawer(
      part('revocations'),
      revocationEntry,
      ({ issuer, peer_id }) => `${issuer}.${peer_id}`,
    );
  }

  /** Makes the folders, so that they can be watched. Throws `invalid_config`. */
  make(): void {
    for (const part of trustParts) makeFolder(join(this.path, part));
  }
}
