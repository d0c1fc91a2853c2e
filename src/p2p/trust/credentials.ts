/**
 * What this node has to show to others, and what it makes of what they show: memberships and revocations, each checked before it
 * counts. Used by both ends of the join protocol.
 */

import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { PrivateKey } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import { maxRevocations, maxShown } from './join-messages.ts';
import { type Membership, memberships, openStatement, revocations, seal } from './statement.ts';
import type { TrustBook } from './trust-book.ts';

const log = getLogger(['taskmesh', 'p2p', 'trust']);

/** How long a membership is good; it is renewed whenever the member connects to its issuer. In seconds. */
const membershipS = 30 * 86_400;

/** Signatures that are looked at in one turn of the event loop: each takes a fraction of a millisecond. */
const checkedPerTurn = 8;

/** Revocations that were looked at and are not looked at again: their hashes. */
const maxConsidered = 4_096;

export interface CredentialsOptions {
  peerId: string;
  privateKey: PrivateKey;
  book: TrustBook;
  clock: Clock;
}

export class Credentials {
  readonly #options: CredentialsOptions;
  /** Own revocations, signed, by what they say: signing hundreds for each hello would hold up the loop. */
  readonly #sealed = new Map<string, Promise<string>>();
  readonly #considered = new Set<string>();

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** What this node signs about a peer that it has listed itself; undefined for others: who was introduced is not handed on. */
  async membershipFor(peerId: string): Promise<string | undefined> {
    const { book, clock, privateKey, peerId: issuer } = this.#options;
    const entry = book.entry(peerId);
    if (entry === undefined || entry.revoked_at !== null) return undefined;
    const nowS = clock.nowMs() / 1000;
    const statement = { version: 1, issuer, peer_id: peerId, grant: entry.grant, issued_at: nowS } as const;
    return seal(memberships, { ...statement, expires_at: nowS + membershipS }, privateKey);
  }

  /** What others have signed about this node. */
  async own(): Promise<string[]> {
    const { book, clock } = this.#options;
    const { entries } = await book.folder.memberships.all();
    const good = [...entries.values()].filter(({ expires_at }) => expires_at * 1000 > clock.nowMs());
    return good.slice(0, maxShown).map(({ envelope }) => envelope);
  }

  /** Whom this node has shut out, signed. */
  async ownRevocations(): Promise<string[]> {
    const { book, peerId: issuer, privateKey } = this.#options;
    const latest = book.peers
      .flatMap(({ peer_id, revoked_at }) => (revoked_at === null ? [] : [{ peer_id, revoked_at }]))
      .sort((a, b) => b.revoked_at - a.revoked_at)
      .slice(0, maxRevocations);
    const current = new Map(latest.map((one) => [`${one.peer_id} ${one.revoked_at}`, one]));
    for (const known of this.#sealed.keys()) if (!current.has(known)) this.#sealed.delete(known);
    const envelopes: string[] = [];
    for (const [what, one] of current) {
      const known = this.#sealed.get(what);
      if (known === undefined && envelopes.length % checkedPerTurn === 0) await setImmediate();
      const sealed = known ?? seal(revocations, { version: 1, issuer, ...one }, privateKey);
      this.#sealed.set(what, sealed);
      envelopes.push(await sealed);
    }
    return envelopes;
  }

  /** Keeps what an inviter has signed about this node, to show it to others. Answers whether it says something new. */
  async keep(envelope: string, from: string): Promise<boolean> {
    const membership = await openStatement(memberships, envelope);
    if (membership.issuer !== from || membership.peer_id !== this.#options.peerId) {
      throw new MeshError('peer_protocol_error', 'A membership came that is about somebody else.');
    }
    const { issuer, expires_at } = membership;
    if (await this.#isKept(membership)) return false;
    await this.#options.book.folder.memberships.put({ issuer, envelope, expires_at });
    return true;
  }

  /** Whether the one that is there says the same and is good for long. */
  async #isKept({ issuer, grant }: Membership): Promise<boolean> {
    const { book, clock } = this.#options;
    const kept = await book.folder.memberships.get(issuer).catch(() => undefined);
    if (kept === undefined || kept.expires_at - clock.nowMs() / 1000 < membershipS / 2) return false;
    const known = await openStatement(memberships, kept.envelope).catch(() => undefined);
    return JSON.stringify(known?.grant) === JSON.stringify(grant);
  }

  /** What a peer shows of others' words about it. What is not good, or comes from somebody who may not introduce, counts nothing. */
  async consider(shown: readonly string[], peerId: string): Promise<void> {
    const { book, clock } = this.#options;
    for (const envelope of shown) {
      try {
        const membership = await openStatement(memberships, envelope);
        if (membership.peer_id !== peerId || membership.expires_at * 1000 <= clock.nowMs()) continue;
        if (book.mayIntroduce(membership.issuer)) book.introduce(membership);
      } catch (error) {
        log.warn('A membership that {peerId} showed is not good: {error}', {
          peerId,
          error: toMeshError(error).message,
        });
      }
    }
  }

  /** Whom a peer has shut out: counts for those whom it had introduced here. */
  async considerRevocations(shown: readonly string[], from: string): Promise<void> {
    const { book } = this.#options;
    if (shown.length === 0 || !book.mayIntroduce(from)) return;
    let checked = 0;
    for (const envelope of shown) {
      if (this.#wasConsidered(from, envelope)) continue;
      if (checked++ % checkedPerTurn === 0) await setImmediate();
      try {
        const { issuer, peer_id, revoked_at } = await openStatement(revocations, envelope);
        if (issuer === from) await book.revokedBy({ issuer, peer_id, revoked_at, envelope });
      } catch (error) {
        log.warn('A revocation that {from} sent is not good: {error}', { from, error: toMeshError(error).message });
      }
    }
  }

  /** Peers show all of them each time that they say hello. */
  #wasConsidered(from: string, envelope: string): boolean {
    const hash = createHash('sha256').update(from).update(envelope).digest('base64');
    if (this.#considered.has(hash)) return true;
    const [oldest] = this.#considered.size < maxConsidered ? [] : this.#considered;
    if (oldest !== undefined) this.#considered.delete(oldest);
    this.#considered.add(hash);
    return false;
  }
}
