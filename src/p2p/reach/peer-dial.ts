/**
 * One peer that is being dialled, for all who want it at the same time: their addresses race, the first connection is
 * everybody's, and the dialling ends when nobody waits for it any more. Used by the dialer.
 */

import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { DialRace } from './dial-race.ts';

export class PeerDial {
  readonly #race: DialRace;
  readonly #stop = new AbortController();
  readonly #connection: Promise<Connection>;
  readonly #onEnd: () => void;
  #waiting = 0;

  /**
   * `begin` starts the race; `greet` resolves when the far side serves this node; `onEnd` hears, maybe twice, that nobody can join
   * any more.
   */
  constructor(
    begin: (signal: AbortSignal) => DialRace,
    greet: (connection: Connection) => Promise<void>,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd;
    this.#race = begin(this.#stop.signal);
    this.#connection = this.#race.connection
      .then(async (connection) => {
        await greet(connection);
        return connection;
      })
      .finally(onEnd);
    // Whoever waits hears of it; nobody may be left.
    this.#connection.catch(() => {});
  }

  /** Waits for the connection, with more addresses. Rejects with why one's own addresses led nowhere, if any did. */
  async join(addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    this.#waiting++;
    this.#race.add(addresses);
    try {
      return await unless(signal, this.#connection);
    } catch (error) {
      const own = addresses.flatMap((address) => this.#race.failures.get(address.toString()) ?? []);
      throw error instanceof AggregateError && own.length > 0 ? new AggregateError(own) : error;
    } finally {
      if (--this.#waiting === 0) {
        this.#onEnd();
        this.#stop.abort();
      }
    }
  }
}

/** Settles as the promise does, or rejects as soon as the signal fires. */
export function unless<Result>(signal: AbortSignal, promise: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error('it did not answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    promise.finally(() => signal.removeEventListener('abort', giveUp)).then(resolve, reject);
  });
}
