/**
 * Whom this node trusts, and with what: the trust folder in memory, kept up to date by watching it, and what peers with the
 * right to introduce have said of others. Asked with every request; answers from memory.
 *
 * A peer's own entry goes first, then the shutting out by its issuer, then its membership, then what the node gives to
 * everybody who can connect. An entry that cannot be read shuts its peer out.
 */

import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';
import { commonGrant, type Grant } from '../../mesh/grant.ts';
import type { JoinEntry, PeerEntry, RevocationEntry, TicketEntry } from '../../trust/entries.ts';
import { type TrustFolder, type TrustPart, trustParts } from '../../trust/trust-folder.ts';
import type { Membership } from './statement.ts';

const log = getLogger(['taskmesh', 'p2p', 'trust']);

/** How long a ticket's file stays after its time, in seconds: who shows it is told that it has expired. */
const expiredTicketKeptS = 3_600;

/** Memberships of others that are kept in memory; their peers show them again when they connect. */
const maxIntroduced = 10_000;

export type Standing =
  | {
      readonly served: true;
      readonly by: 'list' | 'introduction' | 'open door';
      readonly grant: Grant;
      readonly issuer?: string;
    }
  | { readonly served: false; readonly cause: 'revoked' | 'unlisted' };

export interface TrustBookOptions {
  folder: TrustFolder;
  clock: Clock;
  /** What those get who are not listed; undefined: they are not served. */
  openGrant: Grant | undefined;
}

export class TrustBook implements Disposable {
  readonly folder: TrustFolder;
  readonly #options: TrustBookOptions;
  #peers = new Map<string, PeerEntry>();
  #damaged = new Set<string>();
  #tickets = new Map<string, TicketEntry>();
  #joins = new Map<string, JoinEntry>();
  #revocations = new Map<string, RevocationEntry>();
  /** By the peer that they speak of. */
  readonly #introduced = new Map<string, Membership>();
  readonly #listeners = new Set<() => void>();
  readonly #watchers: FSWatcher[] = [];
  readonly #stale = new Set<TrustPart>();
  #reading: Promise<void> | undefined;
  /** Counts changes of the peers' entries: what was read while one was made is read again. */
  #peerChanges = 0;
  #closed = false;

  constructor(options: TrustBookOptions) {
    this.folder = options.folder;
    this.#options = options;
  }

  /** Reads the folder and begins to watch it. */
  async open(): Promise<void> {
    this.folder.make();
    for (const part of trustParts) this.#watch(part);
    for (const part of trustParts) await this.#read(part);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#listeners.clear();
    for (const watcher of this.#watchers) watcher.close();
  }

  standing(peerId: string): Standing {
    const entry = this.#peers.get(peerId);
    if (this.#damaged.has(peerId) || (entry !== undefined && entry.revoked_at !== null))
      return { served: false, cause: 'revoked' };
    if (entry !== undefined) return { served: true, by: 'list', grant: entry.grant };
    const introduction = this.#introduction(peerId);
    if (introduction !== undefined) return introduction;
    const { openGrant } = this.#options;
    if (openGrant !== undefined) return { served: true, by: 'open door', grant: openGrant };
    return { served: false, cause: 'unlisted' };
  }

  grantOf(peerId: string): Grant | undefined {
    const standing = this.standing(peerId);
    return standing.served ? standing.grant : undefined;
  }

  serves(peerId: string): boolean {
    return this.standing(peerId).served;
  }

  entry(peerId: string): PeerEntry | undefined {
    return this.#peers.get(peerId);
  }

  get peers(): PeerEntry[] {
    return [...this.#peers.values()];
  }

  /** Tickets of this node's own that wait to be redeemed at others. */
  get joins(): JoinEntry[] {
    return [...this.#joins.values()].filter(({ refused }) => refused === null);
  }

  get counts(): { listed: number; revoked: number; introduced: number; tickets: number } {
    const revoked = this.peers.filter(({ revoked_at }) => revoked_at !== null).length;
    return {
      listed: this.#peers.size - revoked,
      revoked: revoked + this.#damaged.size,
      introduced: this.#introduced.size,
      tickets: this.#tickets.size,
    };
  }

  /** The peer is listed from now on; its file is written by then. */
  async list(entry: PeerEntry): Promise<void> {
    this.#peerChanges++;
    await this.folder.peers.put(entry);
    this.#keep(entry);
  }

  /** Reads the peer's own file, which may have been written a moment ago: before the peer hears that it is not served. */
  async look(peerId: string): Promise<void> {
    const before = this.#peerChanges;
    // A damaged one is found, and told of, by who watches the folder.
    const entry = await this.folder.peers.get(peerId).catch(() => undefined);
    if (entry === undefined || this.#closed) return;
    if (before !== this.#peerChanges) return this.look(peerId);
    if (entry.revoked_at === this.#peers.get(peerId)?.revoked_at) return;
    this.#damaged.delete(peerId);
    this.#keep(entry);
  }

  /** A ticket for one machine has been used. False: somebody else was first. */
  async takeTicket(id: string): Promise<boolean> {
    return this.folder.tickets.take(id);
  }

  async endJoin(join: JoinEntry, refused: string | null): Promise<void> {
    this.#joins.delete(join.id);
    if (refused === null) await this.folder.joins.take(join.id);
    else await this.folder.joins.put({ ...join, refused });
  }

  /** Whether the peer may say who else is to be served, or shut out. */
  mayIntroduce(issuer: string): boolean {
    const entry = this.#peers.get(issuer);
    return entry !== undefined && entry.revoked_at === null && entry.grant.introduce;
  }

  /** Takes a checked membership; it counts for as long as its issuer may introduce. */
  introduce(membership: Membership): void {
    const { peer_id } = membership;
    if (!this.#introduced.has(peer_id) && this.#introduced.size >= maxIntroduced) {
      const [oldest] = this.#introduced.keys();
      if (oldest !== undefined) this.#introduced.delete(oldest);
    }
    this.#introduced.set(peer_id, membership);
    this.#tell();
  }

  /** Takes a checked revocation of an issuer that may introduce. */
  async revokedBy(entry: RevocationEntry): Promise<void> {
    const name = `${entry.issuer}.${entry.peer_id}`;
    if ((this.#revocations.get(name)?.revoked_at ?? 0) >= entry.revoked_at) return;
    await this.folder.revocations.put(entry);
    this.#revocations.set(name, entry);
    this.#tell();
  }

  /** Calls back after each change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #keep(entry: PeerEntry): void {
    this.#peerChanges++;
    this.#peers.set(entry.peer_id, entry);
    this.#tell();
  }

  #introduction(peerId: string): Standing | undefined {
    const membership = this.#introduced.get(peerId);
    if (membership === undefined || !this.mayIntroduce(membership.issuer)) return undefined;
    const { issuer, issued_at } = membership;
    if (membership.expires_at * 1000 <= this.#options.clock.nowMs()) return undefined;
    const revoked = this.#revocations.get(`${issuer}.${peerId}`);
    if (revoked !== undefined && revoked.revoked_at >= issued_at) return { served: false, cause: 'revoked' };
    const limit = this.#peers.get(issuer)?.grant;
    if (limit === undefined) return undefined;
    return { served: true, by: 'introduction', grant: commonGrant(limit, membership.grant), issuer };
  }

  #watch(part: TrustPart): void {
    const watcher = watch(join(this.folder.path, part), { persistent: false }, () => this.#refresh(part));
    watcher.on('error', (error) =>
      log.error('{path} is not watched any more ({error}); changes take effect when the node starts anew.', {
        path: join(this.folder.path, part),
        error,
      }),
    );
    this.#watchers.push(watcher);
  }

  /** Events come in bursts: what is stale is read once, and again when it changed meanwhile. */
  #refresh(part: TrustPart): void {
    this.#stale.add(part);
    this.#reading ??= this.#readStale().finally(() => {
      this.#reading = undefined;
      const [missed] = this.#stale;
      if (missed !== undefined) this.#refresh(missed);
    });
  }

  async #readStale(): Promise<void> {
    for (const part of this.#stale) {
      this.#stale.delete(part);
      if (this.#closed) return;
      try {
        await this.#read(part);
      } catch (error) {
        log.error('The trust folder cannot be read, and what it said before counts on: {error}', { error });
      }
    }
    if (!this.#closed) this.#tell();
  }

  async #read(part: TrustPart): Promise<void> {
    const { folder } = this;
    if (part === 'peers') {
      const before = this.#peerChanges;
      const { entries, damaged } = await folder.peers.all();
      if (before !== this.#peerChanges) return this.#read(part);
      this.#peerChanges++;
      this.#peers = entries;
      this.#damaged = new Set(damaged);
    } else if (part === 'tickets') this.#tickets = await this.#goodTickets();
    else if (part === 'joins') this.#joins = (await folder.joins.all()).entries;
    else if (part === 'revocations') this.#revocations = (await folder.revocations.all()).entries;
  }

  /** The tickets, without those that have expired long ago: their files are removed. */
  async #goodTickets(): Promise<Map<string, TicketEntry>> {
    const { entries } = await this.folder.tickets.all();
    const oldestS = this.#options.clock.nowMs() / 1000 - expiredTicketKeptS;
    for (const [id, { expires_at }] of entries) {
      if (expires_at > oldestS) continue;
      entries.delete(id);
      await this.folder.tickets.take(id);
    }
    return entries;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
