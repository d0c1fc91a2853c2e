/**
 * The node's trust in others, put together: the book of who is trusted, the permits of those who are connected, the door, and both
 * ends of the join protocol. Made at the node's start; `gater` goes into the libp2p host, `attach` follows once there is one.
 */

import type { Connection, ConnectionGater, PrivateKey, Stream } from '@libp2p/interface';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { defaultGrant, type Grant } from '../../mesh/grant.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { NodeOptions } from '../../mesh/node-options.ts';
import { TrustFolder } from '../../trust/trust-folder.ts';
import type { Host } from '../libp2p-host.ts';
import { Credentials } from './credentials.ts';
import { Doorkeeper } from './doorkeeper.ts';
import { Greeter } from './greeter.ts';
import { joinProtocol } from './join-messages.ts';
import { Misconduct } from './misconduct.ts';
import { notServed, shutOut } from './not-served.ts';
import { Permits } from './permits.ts';
import { Reception } from './reception.ts';
import { Refusals } from './refusals.ts';
import { TrustBook } from './trust-book.ts';

/** Streams of the join protocol that one connection may hold open. */
const maxJoinStreams = 2;

export interface TrustOptions {
  options: Pick<NodeOptions, 'dataFolder' | 'admit' | 'defaultGrant'>;
  peerId: string;
  privateKey: PrivateKey;
  /** With a mesh key peers are listed; without, whoever can connect is served. */
  hasMeshKey: boolean;
  clock: Clock;
  limits: Limits;
}

export interface Attachments {
  host: Host;
  /** Ends a peer's carriage streams, with a last word. */
  endLinks(peerId: string, error: MeshError): void;
  /** Places where listed peers are to be looked for; called again when they change. */
  keepPlace(peerId: string, addresses: readonly string[]): void;
  /** A peer has become one that is served, or, when that is not new, has other rights for this node than before. */
  onServed(peerId: string, isNew: boolean): void;
  /** A peer has been listed, or let in again: it may be looked for. */
  seek(peerId: string): void;
}

export class Trust implements AsyncDisposable {
  readonly book: TrustBook;
  readonly permits: Permits;
  readonly refusals: Refusals;
  readonly #options: TrustOptions;
  readonly #credentials: Credentials;
  readonly #greeter: Greeter;
  readonly #reception: Reception;
  readonly #doorkeeper: Doorkeeper;
  readonly #misconduct: Misconduct;
  #attached: Attachments | undefined;
  /** Own revocations that were told of; a change is told to all who are connected. */
  #toldRevocations = '';
  /** What the peer on a connection may do, as it stood when that was looked at last: a change is told to it. */
  readonly #standings = new WeakMap<Connection, string>();
  /** Connections on which the peer has said hello. */
  readonly #heard = new WeakSet<Connection>();
  /** Peers that are listed and not shut out. */
  #listed = new Set<string>();

  constructor(options: TrustOptions) {
    const { peerId, privateKey, clock, limits, hasMeshKey } = options;
    const { dataFolder, admit = 'listed', defaultGrant: open = defaultGrant } = options.options;
    this.#options = options;
    const openGrant = hasMeshKey && admit === 'listed' ? undefined : open;
    this.refusals = new Refusals(clock);
    this.book = new TrustBook({ folder: new TrustFolder(dataFolder), clock, openGrant });
    this.permits = new Permits({ clock, limits, refusals: this.refusals, grantOf: (id) => this.grantOf(id) });
    const { book, refusals } = this;
    this.#credentials = new Credentials({ peerId, privateKey, book, clock });
    const credentials = this.#credentials;
    const deadlineMs = limits.porchMs;
    this.#greeter = new Greeter({
      book,
      credentials,
      clock,
      deadlineMs,
      onMembership: (issuer) => this.#showMembership(issuer),
    });
    this.#reception = new Reception({ peerId, book, credentials, refusals, clock, deadlineMs });
    this.#misconduct = new Misconduct({ clock, limits });
    this.#doorkeeper = new Doorkeeper({
      peerId,
      book,
      refusals,
      misconduct: this.#misconduct,
      clock,
      limits,
      connectionsOf: (peer) => this.#attached?.host.getConnections(peer) ?? [],
      endLinks: (id, error) => this.#attached?.endLinks(id, error),
    });
  }

  /** What libp2p asks before it takes a connection. */
  get gater(): ConnectionGater {
    return this.#doorkeeper.gater;
  }

  /** Connections of peers that are not served, at the moment. */
  get onPorch(): number {
    return this.#doorkeeper.onPorch;
  }

  serves(peerId: string): boolean {
    return this.book.serves(peerId);
  }

  /** Why the peer did not serve this node when it was asked last; undefined: it does, or was not asked. */
  refusalOf(peerId: string): MeshError | undefined {
    return this.#greeter.refusalOf(peerId);
  }

  /** Why this node does not go to the peer: it has shut it out. */
  shutOut(peerId: string): MeshError | undefined {
    const standing = this.book.standing(peerId);
    return standing.served || standing.cause === 'unlisted' ? undefined : shutOut(peerId);
  }

  /** The peer's grant now. Throws `unauthorized` that says what to run where. */
  grantOf(peerId: string): Grant {
    const standing = this.book.standing(peerId);
    if (standing.served) return standing.grant;
    throw notServed(standing.cause, this.#options.peerId, peerId);
  }

  /** Reads the trust folder; before the host listens. */
  async open(): Promise<void> {
    await this.book.open();
    this.#toldRevocations = this.#revocationsNow();
    this.#listed = this.#listedNow();
  }

  async attach(attachments: Attachments): Promise<void> {
    this.#attached = attachments;
    const { host } = attachments;
    host.addEventListener('connection:open', this.#onConnection);
    this.book.onChange(() => this.#changed());
    await host.handle(
      joinProtocol,
      async (stream, connection) => {
        const before = this.serves(connection.remotePeer.toString());
        const served = await this.#reception.receive(stream, connection);
        this.#doorkeeper.received(connection, served);
        // Who dials says hello once; another one says that something has changed over there.
        const changedThere = connection.direction === 'outbound' || this.#heard.has(connection);
        this.#heard.add(connection);
        if (served && (changedThere || !before)) this.#peerChanged(connection, !before);
      },
      { maxInboundStreams: maxJoinStreams, maxOutboundStreams: maxJoinStreams, runOnLimitedConnection: true },
    );
  }

  /** Looks for the peers that are listed with addresses; after the host listens. */
  seek(): void {
    this.#keepPlaces();
  }

  /** After the host has stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#attached?.host.removeEventListener('connection:open', this.#onConnection);
    this.#attached = undefined;
    this.#doorkeeper[Symbol.dispose]();
    this.book[Symbol.dispose]();
    // What they write is to be written whole.
    await this.#greeter.ended();
  }

  /** Whether a stream of the carriage may be used; one that may not is answered with why. */
  admits(stream: Stream, connection: Connection): boolean {
    return this.#doorkeeper.admits(stream, connection);
  }

  /** Resolves when the far side of a connection that was dialled serves this node. Rejects with its `unauthorized`. */
  async greeted(connection: Connection): Promise<void> {
    if (this.#options.hasMeshKey && connection.direction === 'outbound') await this.#greeter.greet(connection);
  }

  /** Whether the far side serves this node; asked anew unless the connection is new. Rejects when it does not, or does not answer. */
  async confirmed(connection: Connection, isNew: boolean): Promise<void> {
    // Without a mesh key whoever can connect is served: a new connection needs no proof, and no round trip.
    if (!isNew || this.#options.hasMeshKey) await this.#greeter.confirm(connection, isNew);
  }

  /** The peer sends more than it may, and does not heed it. */
  onAbuse(peerId: string, error: MeshError): void {
    if (this.#misconduct.leftMs(peerId) > 0) return;
    this.#misconduct.shutOut(peerId);
    this.#doorkeeper.putOut(peerId, error);
  }

  /** The peer broke the framing of a stream. One that does it again and again is put out, and shut out for a while. */
  onBroken(peerId: string): void {
    const forMs = this.#misconduct.leftMs(peerId) > 0 ? undefined : this.#misconduct.fault(peerId);
    if (forMs === undefined) return;
    const what = `Too many streams of this peer broke the framing. It is shut out for ${forMs / 1000} s.`;
    this.refusals.add(peerId, 'broken_frames', what);
    this.#doorkeeper.putOut(peerId, new MeshError('rate_limited', what, { details: { retry_after_s: forMs / 1000 } }));
  }

  readonly #onConnection = ({ detail: connection }: CustomEvent<Connection>): void => {
    this.#doorkeeper.opened(connection);
    this.#standings.set(connection, this.#standingOn(connection));
    const before = this.serves(connection.remotePeer.toString());
    this.greeted(connection).then(
      () => {
        const peerId = connection.remotePeer.toString();
        if (!before && this.serves(peerId)) this.#attached?.onServed(peerId, true);
      },
      () => {},
    );
  };

  #changed(): void {
    this.permits.recheck();
    this.#doorkeeper.recheck();
    this.#keepPlaces();
    const attached = this.#attached;
    if (attached === undefined) return;
    const told = this.#revocationsNow();
    const revoked = told !== this.#toldRevocations;
    this.#toldRevocations = told;
    const before = this.#listed;
    this.#listed = this.#listedNow();
    for (const peerId of this.#listed) if (!before.has(peerId)) attached.seek(peerId);
    const inviters = new Set(this.book.joins.map(({ inviter }) => inviter));
    for (const connection of attached.host.getConnections()) {
      const peerId = connection.remotePeer.toString();
      const standing = this.#standingOn(connection);
      const changed = standing !== this.#standings.get(connection);
      this.#standings.set(connection, standing);
      const mayCare = changed || (revoked && this.#options.hasMeshKey);
      if (inviters.has(peerId) || (mayCare && this.serves(peerId))) this.#greeter.again(connection).catch(() => {});
    }
  }

  /** The peer has said that something changed: whether it serves this node is asked again, if it did not. */
  #peerChanged(connection: Connection, isNew: boolean): void {
    const peerId = connection.remotePeer.toString();
    if (this.#greeter.refusalOf(peerId) === undefined) this.#attached?.onServed(peerId, isNew);
    else
      this.#greeter.again(connection).then(
        () => this.#attached?.onServed(peerId, true),
        () => {},
      );
  }

  #standingOn({ remotePeer }: Connection): string {
    return JSON.stringify(this.book.standing(remotePeer.toString()));
  }

  #listedNow(): Set<string> {
    return new Set(this.book.peers.filter(({ revoked_at }) => revoked_at === null).map(({ peer_id }) => peer_id));
  }

  /** Those who are connected already may serve this node now, whoever dialled. */
  #showMembership(issuer: string): void {
    for (const connection of this.#attached?.host.getConnections() ?? [])
      if (connection.remotePeer.toString() !== issuer) this.#greeter.again(connection).catch(() => {});
  }

  #keepPlaces(): void {
    for (const { peer_id, addresses, revoked_at } of this.book.peers)
      if (revoked_at === null && addresses.length > 0) this.#attached?.keepPlace(peer_id, addresses);
  }

  #revocationsNow(): string {
    const revoked = this.book.peers.filter(({ revoked_at }) => revoked_at !== null);
    return revoked.map(({ peer_id, revoked_at }) => `${peer_id} ${revoked_at}`).join('\n');
  }
}
