/**
 * Dials a peer's addresses side by side, the promising ones first, and keeps the first connection. Used by the dialer. More
 * addresses may join while it runs.
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

export interface DialRace {
  /** Rejects with an `AggregateError` when no address led anywhere, in the order in which they failed. */
  readonly connection: Promise<Connection>;
  /** Why addresses led nowhere so far, by address. */
  readonly failures: ReadonlyMap<string, unknown>;
  /** More addresses of the peer. One that is there already, or comes when the race is over, changes nothing. */
  add(addresses: readonly Multiaddr[]): void;
}

export function dialRace(addresses: readonly Multiaddr[], options: DialRaceOptions): DialRace {
  const entered = new Set<string>();
  let waiting: Multiaddr[] = [];
  const controller = new AbortController();
  const failures = new Map<string, unknown>();
  const ended = Promise.withResolvers<Connection>();
  let running = 0;
  let cancelTimer: CancelTimer | undefined;
  const end = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    options.signal.removeEventListener('abort', giveUp);
    controller.abort();
  };
  const giveUp = (): void => {
    end();
    ended.reject(new AggregateError([...failures.values(), new Error('it did not answer in time')]));
  };
  const won = (connection: Connection): void => {
    if (controller.signal.aborted) {
      // Another address had won, or nobody waits any more.
      void connection.close().catch(() => connection.abort(new Error('not needed')));
      return;
    }
    end();
    ended.resolve(connection);
  };
  const lost = (address: Multiaddr, error: unknown): void => {
    running--;
    if (controller.signal.aborted) return;
    failures.set(address.toString(), error);
    if (waiting.length > 0) {
      // A relay waits for all direct addresses, but no longer than its time.
      if (running === 0 || !isRelayed(waiting[0] as Multiaddr)) next();
    } else if (running === 0) {
      end();
      ended.reject(new AggregateError([...failures.values()]));
    }
  };
  const next = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    const address = waiting.shift();
    if (address === undefined || controller.signal.aborted) return;
    running++;
    options.dial(address, controller.signal).then(won, (error) => lost(address, error));
    const following = waiting[0];
    if (following === undefined) return;
    const delayMs = isRelayed(following) && !isRelayed(address) ? directHeadStartMs : headStartMs;
    cancelTimer = options.clock.setTimer(delayMs, next);
  };
  const add = (more: readonly Multiaddr[]): void => {
    if (controller.signal.aborted) return;
    for (const address of more) {
      if (entered.size >= maxAddresses || entered.has(address.toString())) continue;
      entered.add(address.toString());
      waiting.push(address);
    }
    waiting = inOrder(waiting);
    // Otherwise the last one that was dialled has had its head start, or has it now.
    if (cancelTimer === undefined) next();
  };
  if (options.signal.aborted) giveUp();
  else {
    options.signal.addEventListener('abort', giveUp, { once: true });
    add(inOrder(addresses));
    if (running === 0) giveUp();
  }
  return { connection: ended.promise, failures, add };
}

/** Direct before relayed, the network before loopback (another machine's is this one's own), TCP before WebSockets. */
function inOrder(addresses: readonly Multiaddr[]): Multiaddr[] {
  const rank = (address: Multiaddr): number =>
    (isRelayed(address) ? 4 : 0) + (isLoopback(address) ? 2 : 0) + (/\/wss?\b/.test(address.toString()) ? 1 : 0);
  return [...addresses].sort((a, b) => rank(a) - rank(b));
}
