/**
 * Dials a peer's addresses side by side, the promising ones first, and keeps the first connection. Used by the dialer.
 *
 * Each address gets a head start before the next; one that fails lets the next begin at once. What a relay carries begins
 * later, because a direct connection is worth a short wait. So an address that swallows packets costs a quarter of a second
 * and not its whole time limit. Source of the idea: RFC 8305, "Happy Eyeballs".
 */

import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { isLoopback, isRelayed } from './addresses.ts';

const headStartMs = 250;
const directHeadStartMs = 750;

/** Addresses of one peer that are dialled at most. */
const maxAddresses = 25;

export interface DialRaceOptions {
  clock: Clock;
  /** When it fires, everything is given up. */
  signal: AbortSignal;
  /** Dials one address; the signal ends it when another one has won. */
  dial(address: Multiaddr, signal: AbortSignal): Promise<Connection>;
}

/** Rejects with an `AggregateError` when no address led anywhere, in the order in which they failed. */
export function dialRace(addresses: readonly Multiaddr[], options: DialRaceOptions): Promise<Connection> {
  const waiting = inOrder(addresses).slice(0, maxAddresses);
  const controller = new AbortController();
  const errors: unknown[] = [];
  let running = 0;
  let cancelTimer: CancelTimer | undefined;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancelTimer?.();
      options.signal.removeEventListener('abort', giveUp);
      controller.abort();
    };
    const giveUp = (): void => {
      end();
      reject(new AggregateError([...errors, new Error('it did not answer in time')]));
    };
    const won = (connection: Connection): void => {
      if (controller.signal.aborted) {
        // Another address had won, or nobody waits any more.
        void connection.close().catch(() => connection.abort(new Error('not needed')));
        return;
      }
      end();
      resolve(connection);
    };
    const lost = (error: unknown): void => {
      running--;
      if (controller.signal.aborted) return;
      errors.push(error);
      if (waiting.length > 0) {
        // A relay waits for all direct addresses, but no longer than its time.
        if (running === 0 || !isRelayed(waiting[0] as Multiaddr)) next();
      } else if (running === 0) {
        end();
        reject(new AggregateError(errors));
      }
    };
    const next = (): void => {
      cancelTimer?.();
      cancelTimer = undefined;
      const address = waiting.shift();
      if (address === undefined || controller.signal.aborted) return;
      running++;
      options.dial(address, controller.signal).then(won, lost);
      const following = waiting[0];
      if (following === undefined) return;
      const delayMs = isRelayed(following) && !isRelayed(address) ? directHeadStartMs : headStartMs;
      cancelTimer = options.clock.setTimer(delayMs, next);
    };
    if (options.signal.aborted) giveUp();
    else {
      options.signal.addEventListener('abort', giveUp, { once: true });
      next();
    }
  });
}

/** Direct before relayed, the network before loopback (another machine's is this one's own), TCP before WebSockets. */
function inOrder(addresses: readonly Multiaddr[]): Multiaddr[] {
  const rank = (address: Multiaddr): number =>
    (isRelayed(address) ? 4 : 0) + (isLoopback(address) ? 2 : 0) + (/\/wss?\b/.test(address.toString()) ? 1 : 0);
  const once = new Map(addresses.map((address) => [address.toString(), address]));
  return [...once.values()].sort((a, b) => rank(a) - rank(b));
}
