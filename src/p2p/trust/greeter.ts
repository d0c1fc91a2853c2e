/**
 * The asking end of the join protocol: on each connection that this node has dialled it says hello, or shows the ticket that it was
 * given for that peer, and remembers who does not serve it.
 */

import type { Connection } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { JoinEntry } from '../../trust/entries.ts';
import type { Credentials } from './credentials.ts';
import {
  type JoinAnswer,
  type JoinRequest,
  joinAnswer,
  joinProtocol,
  receiveMessage,
  sendMessage,
} from './join-messages.ts';
import type { TrustBook } from './trust-book.ts';

const log = getLogger(['taskmesh', 'p2p', 'trust']);

/** Peers that refused this node, of whom it is remembered. */
const maxRefusers = 1_000;

export interface GreeterOptions {
  book: TrustBook;
  credentials: Credentials;
  clock: Clock;
  /** From opening the stream to the whole answer, in milliseconds. */
  deadlineMs: number;
  /** There is a new membership to show; it came from this peer. */
  onMembership(issuer: string): void;
}

/** Resolves with what kept the far side from answering, if anything did. Rejects with its `unauthorized`. */
type Greeting = Promise<Error | undefined>;

export class Greeter {
  readonly #options: GreeterOptions;
  /** One greeting per connection, however many wait for it. */
  readonly #greetings = new WeakMap<Connection, Greeting>();
  /** Those that have not ended yet. */
  readonly #running = new Set<Greeting>();
  /** Peers to whom a ticket is being shown: not on two connections at once. */
  readonly #showing = new Map<string, Promise<void>>();
  readonly #refusedBy = new Map<string, MeshError>();

  constructor(options: GreeterOptions) {
    this.#options = options;
  }

  /** Resolves when the far side serves this node, or knows nothing of serving. Rejects with its `unauthorized`. */
  async greet(connection: Connection): Promise<void> {
    await this.#greeting(connection);
  }

  /** Greets anew: there is a ticket to show, or something to tell. */
  again(connection: Connection): Promise<void> {
    this.#greetings.delete(connection);
    return this.greet(connection);
  }

  /** As `greet`, asked anew unless the connection is new. Rejects also with what kept the far side from answering. */
  async confirm(connection: Connection, isNew: boolean): Promise<void> {
    const last = this.#greetings.get(connection);
    if (!isNew && last !== undefined && !this.#running.has(last)) this.#greetings.delete(connection);
    const unanswered = await this.#greeting(connection);
    if (unanswered === undefined || unanswered.name === 'UnsupportedProtocolError') return;
    const peerId = connection.remotePeer.toString();
    // Whom it has refused a moment ago, it may not even let in.
    const refusal = this.#refusedBy.get(peerId);
    if (refusal !== undefined) throw refusal;
    if (toMeshError(unanswered).code === 'timeout') throw unanswered;
    const what = `Peer ${peerId} broke off before it said whether it serves this node. Try again; its log says more.`;
    throw new MeshError('peer_unreachable', what, { cause: unanswered, details: { peer_id: peerId } });
  }

  #greeting(connection: Connection): Greeting {
    let greeting = this.#greetings.get(connection);
    if (greeting === undefined) {
      const begun = this.#greet(connection);
      greeting = begun;
      this.#greetings.set(connection, begun);
      this.#running.add(begun);
      begun.catch(() => {}).finally(() => this.#running.delete(begun));
    }
    return greeting;
  }

  /** Why the peer does not serve this node, as it said last. */
  refusalOf(peerId: string): MeshError | undefined {
    return this.#refusedBy.get(peerId);
  }

  /** Resolves when no greeting is under way; they end with their connections. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #greet(connection: Connection): Greeting {
    const peerId = connection.remotePeer.toString();
    const { book } = this.#options;
    const join = book.joins.find(({ inviter }) => inviter === peerId);
    try {
      if (join === undefined) await this.#hello(connection, peerId);
      else await this.#joinOnce(connection, join);
      this.#refusedBy.delete(peerId);
      return undefined;
    } catch (thrown) {
      const error = toMeshError(thrown);
      // A peer that is no taskmesh node, or an older one, or a connection that broke: whoever uses it will find out.
      if (error.code !== 'unauthorized') return thrown as Error;
      this.#remember(peerId, error);
      // A peer that has dialled this node is served here, whether it serves this node or not.
      if (connection.direction === 'outbound') await connection.close().catch(() => connection.abort(error));
      throw error;
    }
  }

  /** Another connection that comes meanwhile waits, and then says hello. */
  async #joinOnce(connection: Connection, join: JoinEntry): Promise<void> {
    const running = this.#showing.get(join.inviter);
    if (running !== undefined) {
      await running.catch(() => {});
      return this.#hello(connection, join.inviter);
    }
    const showing = this.#join(connection, join).finally(() => this.#showing.delete(join.inviter));
    this.#showing.set(join.inviter, showing);
    return showing;
  }

  async #join(connection: Connection, join: JoinEntry): Promise<void> {
    const { book } = this.#options;
    const peerId = connection.remotePeer.toString();
    try {
      await this.#ask(connection, { type: 'join', ticket: join.id, secret: join.secret });
      await book.endJoin(join, null);
      log.info('Joined the mesh of {peerId}', { peerId });
    } catch (thrown) {
      const error = toMeshError(thrown);
      if (error.code !== 'unauthorized') throw error;
      await book.endJoin(join, error.message);
      // The ticket is no good, and this node may be on the list all the same.
      await this.#hello(connection, peerId).catch(() => {
        throw error;
      });
    }
  }

  async #hello(connection: Connection, peerId: string): Promise<void> {
    const { credentials } = this.#options;
    const shown = { memberships: await credentials.own(), revocations: await credentials.ownRevocations() };
    const answer = await this.#ask(connection, { type: 'hello', ...shown });
    await credentials.considerRevocations(answer.revocations, peerId);
  }

  async #ask(connection: Connection, request: JoinRequest): Promise<JoinAnswer & { ok: true }> {
    const { clock, deadlineMs, credentials, book, onMembership } = this.#options;
    const peerId = connection.remotePeer.toString();
    const signal = AbortSignal.timeout(deadlineMs);
    const stream = await connection.newStream(joinProtocol, { signal });
    try {
      const answered = receiveMessage(stream, joinAnswer, { clock, deadlineMs });
      // It is not waited for when the sending itself fails.
      answered.catch(() => {});
      sendMessage(stream, request);
      const answer = await answered;
      if (!answer.ok) throw MeshError.fromFailure(answer as never);
      if (answer.membership !== undefined && (await credentials.keep(answer.membership, peerId))) onMembership(peerId);
      if (!book.serves(peerId)) await credentials.consider(answer.memberships, peerId);
      return answer;
    } finally {
      stream.close().catch((error: Error) => stream.abort(error));
    }
  }

  #remember(peerId: string, error: MeshError): void {
    const known = this.#refusedBy.get(peerId);
    if (known === undefined && this.#refusedBy.size >= maxRefusers) {
      const [oldest] = this.#refusedBy.keys();
      if (oldest !== undefined) this.#refusedBy.delete(oldest);
    }
    this.#refusedBy.set(peerId, error);
    if (known?.message !== error.message)
      log.warn('{peerId} does not serve this node: {why}', { peerId, why: error.message });
  }
}
