/**
 * Closes connections that others have made and do not use: no stream is open, nothing was asked, and the peer is no node of the
 * mesh, which stays connected to be found. Whoever made such a connection makes it again when it needs it. Made by the node's
 * start; strangers on the porch have a shorter time (`trust/doorkeeper.ts`).
 */

import type { Connection } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import type { Host } from '../libp2p-host.ts';

export interface IdleConnectionsOptions {
  host: Pick<Host, 'getConnections' | 'addEventListener' | 'removeEventListener'>;
  clock: Clock;
  /** How long a connection may be of no use, in milliseconds. It is closed at most half as long after that. */
  idleMs: number;
  isMeshPeer(peerId: string): boolean;
  /** Grows with what the peer sends over the carriage. */
  activityOf(peerId: string): number;
}

interface Seen {
  activity: number;
  usedMs: number;
}

export class IdleConnections implements Disposable {
  readonly #options: IdleConnectionsOptions;
  readonly #seen = new WeakMap<Connection, Seen>();
  #cancelSweep: CancelTimer | undefined;

  constructor(options: IdleConnectionsOptions) {
    this.#options = options;
    options.host.addEventListener('connection:open', this.#onOpen);
  }

  [Symbol.dispose](): void {
    this.#options.host.removeEventListener('connection:open', this.#onOpen);
    this.#cancelSweep?.();
  }

  readonly #onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    this.#isIdle(connection);
    this.#sweepLater();
  };

  /** One timer for all of them. */
  #sweepLater(): void {
    const { host, clock, idleMs } = this.#options;
    this.#cancelSweep ??= clock.setTimer(idleMs / 2, () => {
      this.#cancelSweep = undefined;
      for (const connection of host.getConnections())
        if (this.#isIdle(connection)) connection.close().catch((error: Error) => connection.abort(error));
      if (host.getConnections().length > 0) this.#sweepLater();
    });
  }

  #isIdle(connection: Connection): boolean {
    const { clock, idleMs, isMeshPeer, activityOf } = this.#options;
    const peerId = connection.remotePeer.toString();
    const [activity, nowMs, seen] = [activityOf(peerId), clock.monotonicMs(), this.#seen.get(connection)];
    const isUsed = connection.streams.length > 0 || activity !== seen?.activity || isMeshPeer(peerId);
    if (seen === undefined || isUsed) this.#seen.set(connection, { activity, usedMs: nowMs });
    else return connection.direction === 'inbound' && nowMs - seen.usedMs >= idleMs;
    return false;
  }
}
