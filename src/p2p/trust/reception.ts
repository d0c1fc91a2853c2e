/**
 * The answering end of the join protocol: redeems tickets, looks at memberships, and says whether the peer is served. The peer is
 * who the connection says it is; nothing that it sends can make it another.
 */

import { timingSafeEqual } from 'node:crypto';
import type { Connection, Stream } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import { hashOfSecret } from '../../trust/ticket.ts';
import type { Credentials } from './credentials.ts';
import { type JoinAnswer, type JoinRequest, joinRequest, receiveMessage, sendMessage } from './join-messages.ts';
import { notServed } from './not-served.ts';
import type { Refusals } from './refusals.ts';
import type { TrustBook } from './trust-book.ts';

const log = getLogger(['taskmesh', 'p2p', 'trust']);

export interface ReceptionOptions {
  peerId: string;
  book: TrustBook;
  credentials: Credentials;
  refusals: Refusals;
  clock: Clock;
  /** From the opened stream to the whole request, in milliseconds. */
  deadlineMs: number;
}

export class Reception {
  readonly #options: ReceptionOptions;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  /** Serves one stream. Never rejects. Answers whether the peer is served now. */
  async receive(stream: Stream, connection: Connection): Promise<boolean> {
    const { clock, deadlineMs, book } = this.#options;
    const peerId = connection.remotePeer.toString();
    try {
      const request = await receiveMessage(stream, joinRequest, { clock, deadlineMs });
      sendMessage(stream, await this.#answer(request, peerId));
      await stream.close();
    } catch (error) {
      stream.abort(toMeshError(error));
    }
    return book.serves(peerId);
  }

  async #answer(request: JoinRequest, peerId: string): Promise<JoinAnswer> {
    const { book, credentials, refusals, peerId: ownPeerId } = this.#options;
    try {
      if (request.type === 'join') await this.#redeem(request.ticket, request.secret, peerId);
      else {
        await credentials.considerRevocations(request.revocations, peerId);
        if (!book.serves(peerId)) await credentials.consider(request.memberships, peerId);
      }
      if (!book.serves(peerId)) await book.look(peerId);
      const standing = book.standing(peerId);
      if (!standing.served) throw notServed(standing.cause, ownPeerId, peerId);
      const membership = await credentials.membershipFor(peerId);
      return {
        ok: true,
        ...(membership === undefined ? {} : { membership }),
        memberships: await credentials.own(),
        revocations: await credentials.ownRevocations(),
      };
    } catch (thrown) {
      const error = toMeshError(thrown);
      if (error.code === 'internal_error') log.error('A peer could not be received: {error}', { error: thrown });
      else refusals.add(peerId, String(error.details?.cause ?? error.code), error.message);
      return error.toFailure();
    }
  }

  /** All refusals of a ticket take the same time to find out: the hash is always compared. */
  async #redeem(id: string, secret: string, peerId: string): Promise<void> {
    const { book, clock, peerId: ownPeerId } = this.#options;
    if (book.entry(peerId)?.revoked_at != null) throw notServed('revoked', ownPeerId, peerId);
    // It was shown before, and the answer did not arrive.
    if (book.entry(peerId)?.ticket === id) return;
    // The file itself: the ticket may have been made, or withdrawn, a moment ago.
    const ticket = await book.folder.tickets.get(id);
    const shown = Buffer.from(hashOfSecret(Buffer.from(secret, 'base64url')), 'hex');
    const kept = ticket === undefined ? Buffer.alloc(shown.length) : Buffer.from(ticket.secret_hash, 'hex');
    const fits = timingSafeEqual(shown, kept);
    if (ticket === undefined || !fits)
      throw badTicket('unknown_ticket', 'does not know this ticket: it was used before, withdrawn, or tampered with');
    if (ticket.expires_at * 1000 <= clock.nowMs()) {
      await book.takeTicket(id);
      throw badTicket('expired_ticket', 'says that this ticket has expired');
    }
    if (ticket.once && !(await book.takeTicket(id)))
      throw badTicket('unknown_ticket', 'says that this ticket was used before');
    const known = book.entry(peerId);
    await book.list({
      peer_id: peerId,
      label: ticket.label === '' ? (known?.label ?? '') : ticket.label,
      grant: ticket.grant,
      added_at: clock.nowMs() / 1000,
      revoked_at: null,
      addresses: known?.addresses ?? [],
      ticket: id,
    });
    log.info('{peerId} joined with the ticket {ticket}', { peerId, ticket: id });
  }
}

function badTicket(cause: string, what: string): MeshError {
  return new MeshError('unauthorized', `The inviter ${what}. Run "taskmesh invite" there for a new one.`, {
    details: { cause },
  });
}
