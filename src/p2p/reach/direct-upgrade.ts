/**
 * From a relayed connection to a direct one: while a peer is reached by way of a relay only, the node tries the direct addresses
 * that the peer has told, more and more seldom. When a direct connection stands, whoever made it (this file, libp2p's DCUtR, the
 * peer), the relayed one is given up, but not before what is in flight on it has been answered.
 *
 * DCUtR does the same for public addresses with both sides knocking at once; it leaves private ones out, and those are what
 * two machines behind one router have. Source: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md
 */

import type { Connection, IdentifyResult, Stream } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { carriageProtocol } from '../carriage.ts';
import type { Host } from '../libp2p-host.ts';
import { dialable, isLoopback, isRelayed, parsePeerId } from './addresses.ts';
import type { Dialer } from './dialer.ts';

const log = getLogger(['taskmesh', 'p2p', 'direct']);

/** The side that was called tries first; the caller, who has tried before it took the relay, comes later. */
const inboundDelayMs = 100;
const outboundDelayMs = 2_000;
const longestDelayMs = 600_000;

/** How long nobody may have opened a stream on a relayed connection before it is closed, in milliseconds. */
const quietMs = 1_000;

/** What one attempt may take, in milliseconds. */
const attemptMs = 5_000;

export interface DirectUpgradeOptions {
  host: Host;
  clock: Clock;
  random: () => number;
  dialer: Dialer;
  /** No new requests on these streams; resolves when what was in flight on them has ended. */
  retire(peerId: string, streams: () => readonly Stream[]): Promise<void>;
}

interface Relayed {
  delayMs: number;
  cancelTimer: CancelTimer | undefined;
}

export class DirectUpgrade implements Disposable {
  readonly #options: DirectUpgradeOptions;
  /** Peers that are reached by way of a relay only; no more than there are connections. */
  readonly #relayed = new Map<string, Relayed>();
  readonly #ending = new AbortController();

  constructor(options: DirectUpgradeOptions) {
    this.#options = options;
    const { host } = options;
    host.addEventListener('peer:identify', this.#onIdentify);
    host.addEventListener('connection:open', this.#onOpen);
    host.addEventListener('connection:close', this.#onClose);
  }

  [Symbol.dispose](): void {
    const { host } = this.#options;
    this.#ending.abort();
    host.removeEventListener('peer:identify', this.#onIdentify);
    host.removeEventListener('connection:open', this.#onOpen);
    host.removeEventListener('connection:close', this.#onClose);
    for (const peerId of [...this.#relayed.keys()]) this.#forget(peerId);
  }

  /** The peer has told its addresses. */
  readonly #onIdentify = ({ detail: { connection, peerId } }: CustomEvent<IdentifyResult>): void => {
    const id = peerId.toString();
    if (!isRelayed(connection.remoteAddr) || this.#hasDirect(id)) return;
    this.#forget(id);
    this.#relayed.set(id, {
      delayMs: connection.direction === 'inbound' ? inboundDelayMs : outboundDelayMs,
      cancelTimer: undefined,
    });
    this.#schedule(id);
  };

  readonly #onOpen = ({ detail }: CustomEvent<Connection>): void => {
    if (isRelayed(detail.remoteAddr)) return;
    const peerId = detail.remotePeer.toString();
    this.#forget(peerId);
    if (this.#relayedConnections(peerId).length > 0) void this.#giveUpRelay(peerId);
  };

  readonly #onClose = ({ detail }: CustomEvent<Connection>): void => {
    const peerId = detail.remotePeer.toString();
    if (this.#relayedConnections(peerId).length === 0) this.#forget(peerId);
  };

  #schedule(peerId: string): void {
    const relayed = this.#relayed.get(peerId);
    if (relayed === undefined || this.#ending.signal.aborted) return;
    const { clock, random } = this.#options;
    relayed.cancelTimer = clock.setTimer(relayed.delayMs * (0.75 + random() / 4), () => void this.#try(peerId));
    relayed.delayMs = Math.min(longestDelayMs, Math.max(1_000, relayed.delayMs) * 4);
  }

  async #try(peerId: string): Promise<void> {
    const { host, dialer, clock } = this.#options;
    const { addresses } = await host.peerStore.get(parsePeerId(peerId)).catch(() => ({ addresses: [] }));
    const near = this.#relayedConnections(peerId).some(({ remoteAddr }) => isLoopback(remoteAddr));
    const direct = addresses
      .filter(({ isCertified, multiaddr }) => isCertified && !isRelayed(multiaddr) && (near || !isLoopback(multiaddr)))
      .flatMap(({ multiaddr }) => dialable(multiaddr, peerId));
    if (!this.#relayed.has(peerId) || this.#hasDirect(peerId)) return;
    const late = new AbortController();
    const cancelTimer = clock.setTimer(attemptMs, () => late.abort());
    try {
      if (direct.length > 0) {
        await dialer.dialAnew(peerId, direct, AbortSignal.any([late.signal, this.#ending.signal]));
        return;
      }
    } catch (error) {
      log.debug('Peer {peerId} is reached by way of a relay only: {error}', { peerId, error });
    } finally {
      cancelTimer();
    }
    this.#schedule(peerId);
  }

  async #giveUpRelay(peerId: string): Promise<void> {
    const streams = (): Stream[] => this.#relayedConnections(peerId).flatMap((connection) => connection.streams);
    // A peer that has not noticed the direct one yet may just be opening a stream.
    do {
      await this.#options.retire(peerId, streams);
      await this.#quiet();
    } while (streams().some(({ protocol, status }) => protocol === carriageProtocol && status === 'open'));
    // The direct one may have gone in the meantime; then the relayed one is all there is.
    if (this.#ending.signal.aborted || !this.#hasDirect(peerId)) return;
    for (const connection of this.#relayedConnections(peerId))
      await connection.close().catch((error: Error) => connection.abort(error));
  }

  /** Resolves after a moment, or when the node stops. */
  #quiet(): Promise<void> {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      const cancelTimer = this.#options.clock.setTimer(quietMs, () => {
        signal.removeEventListener('abort', end);
        resolve();
      });
      const end = (): void => {
        cancelTimer();
        resolve();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  }

  #hasDirect(peerId: string): boolean {
    return this.#open(peerId).some(({ remoteAddr }) => !isRelayed(remoteAddr));
  }

  #relayedConnections(peerId: string): Connection[] {
    return this.#open(peerId).filter(({ remoteAddr }) => isRelayed(remoteAddr));
  }

  #open(peerId: string): Connection[] {
    return this.#options.host.getConnections(parsePeerId(peerId)).filter(({ status }) => status === 'open');
  }

  #forget(peerId: string): void {
    this.#relayed.get(peerId)?.cancelTimer?.();
    this.#relayed.delete(peerId);
  }
}
