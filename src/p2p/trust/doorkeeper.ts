/**
 * Who may be connected. A peer that is not served gets as far as the porch: for some seconds, with a few others at most, it may show
 * a ticket or a membership on the join protocol, and hears there, or on the carriage, why it is not served; then its connection is
 * closed. Whoever loses its rights while it is connected is told so and put out at once.
 */

import type { Connection, ConnectionGater, PeerId, Stream } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import type { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import { failureOf } from '../../rpc/errors.ts';
import { encodeFrames, encodeMessage } from '../../rpc/frames.ts';
import type { Misconduct } from './misconduct.ts';
import { notServed } from './not-served.ts';
import { PendingConnections } from './pending-connections.ts';
import type { Refusals } from './refusals.ts';
import type { TrustBook } from './trust-book.ts';

/** Connections of one peer that is not served, without those that have heard so already and are about to end. */
const maxOnPorchPerPeer = 2;

/** How long a connection lives on after its last word, in milliseconds. */
const lastWordMs = 500;

const porchFull = ['porch_full', 'too many connect that are not served.'] as const;

export interface DoorkeeperOptions {
  peerId: string;
  book: TrustBook;
  refusals: Refusals;
  misconduct: Misconduct;
  clock: Clock;
  limits: Pick<Limits, 'maxPendingConnections' | 'maxPorch' | 'porchMs' | 'maxConnectionsPerPeer' | 'maxFrameBytes'>;
  connectionsOf(peer?: PeerId): Connection[];
  /** Ends the peer's carriage streams, with a last word. */
  endLinks(peerId: string, error: MeshError): void;
}

export class Doorkeeper implements Disposable {
  readonly #options: DoorkeeperOptions;
  readonly #pending: PendingConnections;
  /** Connections of peers that are not served, each with the end of its time. */
  readonly #porch = new Map<Connection, CancelTimer>();
  /** Connections that have had their last word. */
  readonly #ending = new WeakSet<Connection>();

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
    this.#pending = new PendingConnections(options.limits.maxPendingConnections);
  }

  /** What libp2p asks before it takes a connection. */
  readonly gater: ConnectionGater = {
    denyInboundConnection: (connection) => !this.#pending.add(connection),
    denyInboundEncryptedConnection: (peer, connection) => {
      this.#pending.known(connection);
      return this.#denies(peer);
    },
    // The DHT and others dial by themselves.
    denyDialPeer: (peer) => {
      const standing = this.#options.book.standing(peer.toString());
      return !standing.served && standing.cause === 'revoked';
    },
    // A relay carries bytes for those only whom it serves.
    denyInboundRelayReservation: (source) => !this.#options.book.serves(source.toString()),
    denyOutboundRelayedConnection: (source, destination) =>
      !this.#options.book.serves(source.toString()) || !this.#options.book.serves(destination.toString()),
  };

  get onPorch(): number {
    return this.#porch.size;
  }

  [Symbol.dispose](): void {
    for (const cancelTimer of this.#porch.values()) cancelTimer();
    this.#porch.clear();
  }

  /** A connection came: one that is not served has its time from now on. */
  opened(connection: Connection): void {
    const { book, clock, limits, refusals } = this.#options;
    const peerId = connection.remotePeer.toString();
    if (connection.direction !== 'inbound' || book.serves(peerId)) return;
    // Many may have been let in at once while there was room for one.
    if (this.#porch.size >= limits.maxPorch) {
      refusals.add(peerId, ...porchFull);
      connection.abort(new Error('the porch is full'));
      return;
    }
    const late = (): void => {
      this.#porch.delete(connection);
      if (!book.serves(peerId)) this.#close(connection, this.#refusal(peerId));
    };
    this.#porch.set(connection, clock.setTimer(limits.porchMs, late));
    connection.addEventListener('close', () => this.#leavePorch(connection));
  }

  /** The peer on the connection had its say; one that is still not served goes. */
  received(connection: Connection, served: boolean): void {
    if (served) this.#leavePorch(connection);
    else if (connection.direction === 'inbound')
      this.#close(connection, this.#refusal(connection.remotePeer.toString()));
  }

  /** Whether the stream may be used for requests; one that may not is answered with why. */
  admits(stream: Stream, connection: Connection): boolean {
    const peerId = connection.remotePeer.toString();
    if (this.#options.misconduct.leftMs(peerId) > 0) {
      stream.abort(new Error('the peer is shut out'));
      return false;
    }
    // Whom this node has dialled may be asked things; what it asks back is refused request by request.
    if (this.#options.book.serves(peerId) || connection.direction === 'outbound') return true;
    const error = this.#refusal(peerId);
    this.#options.refusals.add(peerId, String(error.details?.cause), error.message);
    const word = { jsonrpc: '2.0', id: null, error: failureOf(error) };
    stream.send(encodeFrames([encodeMessage(word, this.#options.limits.maxFrameBytes)]));
    stream
      .close()
      .catch((cause: Error) => stream.abort(cause))
      .finally(() => this.#close(connection, error));
    return false;
  }

  /** Grants have changed: puts those out that are not served any more. */
  recheck(): void {
    for (const connection of this.#options.connectionsOf()) {
      const peerId = connection.remotePeer.toString();
      const standing = this.#options.book.standing(peerId);
      if (standing.served) this.#leavePorch(connection);
      else if (!this.#porch.has(connection) && (connection.direction === 'inbound' || standing.cause === 'revoked'))
        this.putOut(peerId, this.#refusal(peerId));
    }
  }

  /** Ends everything that the peer has here, with a last word. */
  putOut(peerId: string, error: MeshError): void {
    this.#options.endLinks(peerId, error);
    for (const connection of this.#options.connectionsOf())
      if (connection.remotePeer.toString() === peerId) this.#close(connection, error);
  }

  #denies(peer: PeerId): boolean {
    const { book, limits, refusals, misconduct, connectionsOf } = this.#options;
    const peerId = peer.toString();
    if (misconduct.leftMs(peerId) > 0) {
      refusals.add(peerId, 'shut_out', 'it broke the rules of the wire, and its time is not over.');
      return true;
    }
    const connections = connectionsOf(peer);
    const open = connections.length;
    const waiting = connections.filter((connection) => !this.#ending.has(connection)).length;
    if (open >= limits.maxConnectionsPerPeer) {
      refusals.add(peerId, 'too_many_connections', `it has ${open} connections already.`);
      return true;
    }
    if (book.serves(peerId) || (this.#porch.size < limits.maxPorch && waiting < maxOnPorchPerPeer)) return false;
    refusals.add(peerId, ...porchFull);
    return true;
  }

  #refusal(peerId: string): MeshError {
    const standing = this.#options.book.standing(peerId);
    return notServed(standing.served ? 'unlisted' : standing.cause, this.#options.peerId, peerId);
  }

  #leavePorch(connection: Connection): void {
    this.#porch.get(connection)?.();
    this.#porch.delete(connection);
  }

  /**
   * Closes soon, so that the last word arrives: what is on its way is lost when a connection ends while the far side still sends.
   * The far side closes by itself when it has read it. Until then the connection stands on the porch.
   */
  #close(connection: Connection, error: Error): void {
    const now = (): void => {
      this.#porch.delete(connection);
      connection.close().catch(() => connection.abort(error));
    };
    this.#leavePorch(connection);
    if (connection.status !== 'open') return;
    this.#ending.add(connection);
    this.#porch.set(connection, this.#options.clock.setTimer(lastWordMs, now));
    connection.addEventListener('close', () => this.#leavePorch(connection));
  }
}
