/** Dials peers and opens carriage streams, and turns libp2p's errors into the mesh's. Used by links, discovery and `connect`. */

import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { carriageProtocol } from '../carriage.ts';
import type { Host } from '../libp2p-host.ts';
import { withDeadline } from '../with-deadline.ts';
import { isRelayed, parsePeerId } from './addresses.ts';
import { dialRace } from './dial-race.ts';

/** One address, to the end of the handshake, in milliseconds. */
const addressDeadlineMs = 5_000;

export interface DialerOptions {
  host: Host;
  clock: Clock;
  /** Resolves when the far side of a connection serves this node. Rejects with `unauthorized`. */
  greeted?(connection: Connection): Promise<void>;
  /** Addresses of the peer from elsewhere than libp2p's own store. */
  known(peerId: string): readonly Multiaddr[];
}

interface Dialling {
  readonly addresses: ReadonlySet<string>;
  readonly connection: Promise<Connection>;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #dialling = new Map<string, Dialling>();

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /**
   * A connection to the peer: the one that is there, a direct one before a relayed one, or a new one to the addresses, or to
   * those that are known. Dials to the same peer share one. Rejects with `peer_not_found`, `peer_unreachable` or `unauthorized`.
   */
  async dial(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const open = this.connectionTo(peerId);
    if (open !== undefined) return open;
    const dialling = this.#dialling.get(peerId);
    if (dialling !== undefined) {
      try {
        return await unless(signal, dialling.connection);
      } catch (error) {
        // Who knows another address must not fail because the ones that were known before lead nowhere.
        const nothingNew = addresses.every((address) => dialling.addresses.has(address.toString()));
        if (signal.aborted || (nothingNew && addresses.length > 0)) throw dialError(peerId, error as Error);
      }
      return this.dial(peerId, addresses, signal);
    }
    const connection = this.#dialNew(peerId, addresses, signal).finally(() => this.#dialling.delete(peerId));
    this.#dialling.set(peerId, { addresses: new Set(addresses.map(String)), connection });
    return connection;
  }

  /** The best open connection to the peer. */
  connectionTo(peerId: string): Connection | undefined {
    const open = this.#options.host.getConnections(parsePeerId(peerId)).filter(({ status }) => status === 'open');
    return open.find(({ remoteAddr }) => !isRelayed(remoteAddr)) ?? open[0];
  }

  /** A new connection to one of these addresses, whatever connections there are. Rejects with an `AggregateError`. */
  async dialAnew(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const { host, clock } = this.#options;
    const { transportManager, connectionGater } = host.services.parts;
    if ((await connectionGater.denyDialPeer?.(parsePeerId(peerId))) === true)
      throw new AggregateError([new Error('this node may not connect to it')]);
    return dialRace(addresses, {
      clock,
      signal,
      dial: (address, stop) =>
        withDeadline(
          { clock, deadlineMs: addressDeadlineMs, signal: stop, dropped: (late) => late.abort(new Error('too late')) },
          (dropped) => transportManager.dial(address, { signal: dropped }),
          () => new MeshError('timeout', `${address} did not answer within ${addressDeadlineMs} ms`),
        ),
    });
  }

  /** A carriage stream to the peer. Rejects as `dial` does, or with `peer_protocol_error` when the peer is no taskmesh node. */
  async openCarriage(
    peerId: string,
    addresses: readonly Multiaddr[],
    signal: AbortSignal,
    again = false,
  ): Promise<Stream> {
    const connection = await this.dial(peerId, addresses, signal);
    try {
      return await connection.newStream(carriageProtocol, { signal, runOnLimitedConnection: true });
    } catch (cause) {
      if ((cause as Error).name === 'UnsupportedProtocolError') {
        throw new MeshError(
          'peer_protocol_error',
          `Peer ${peerId} does not speak ${carriageProtocol}: it is no taskmesh node.`,
          { cause, details: { peer_id: peerId } },
        );
      }
      // The connection may have been one whose end had not been noticed yet; then a new one is worth a try.
      if (connection.status !== 'open' && !again && !signal.aborted)
        return this.openCarriage(peerId, addresses, signal, true);
      throw dialError(peerId, cause as Error);
    }
  }

  async #dialNew(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    try {
      const known = addresses.length > 0 ? addresses : await this.#known(peerId);
      if (known.length === 0)
        throw new MeshError('peer_not_found', noAddress(peerId), { details: { peer_id: peerId } });
      const connection = await this.dialAnew(peerId, known, signal);
      await this.#options.greeted?.(connection);
      return connection;
    } catch (cause) {
      throw dialError(peerId, cause as Error);
    }
  }

  async #known(peerId: string): Promise<Multiaddr[]> {
    const { host, known } = this.#options;
    const stored = await host.peerStore.get(parsePeerId(peerId)).catch(() => undefined);
    const own = (stored?.addresses ?? []).map(({ multiaddr }) =>
      multiaddr.toString().endsWith(`/p2p/${peerId}`) ? multiaddr : multiaddr.encapsulate(`/p2p/${peerId}`),
    );
    return [...own, ...known(peerId)];
  }
}

/** One carriage stream, for who keeps no dialer. Rejects as `Dialer.openCarriage` does. */
export function openCarriage(
  host: Host,
  peerId: string,
  addresses: readonly Multiaddr[],
  signal: AbortSignal,
): Promise<Stream> {
  return new Dialer({ host, clock: systemClock, known: () => [] }).openCarriage(peerId, addresses, signal);
}

/** Settles as the promise does, or rejects as soon as the signal fires. */
function unless<Result>(signal: AbortSignal, promise: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error('it did not answer in time'));
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    promise.finally(() => signal.removeEventListener('abort', giveUp)).then(resolve, reject);
  });
}

function noAddress(peerId: string): string {
  return `No address of peer ${peerId} is known. Name its multiaddr, or let discovery find it first.`;
}

function dialError(peerId: string, cause: Error): MeshError {
  if (cause instanceof MeshError && cause.code !== 'timeout') return cause;
  return new MeshError(
    'peer_unreachable',
    `Peer ${peerId} could not be connected to: ${reasonOf(cause)}. Look whether it runs, then try again.`,
    { cause, details: { peer_id: peerId } },
  );
}

/** One line that tells people what libp2p found; several addresses may each have failed in their own way. */
export function reasonOf(error: Error): string {
  const errors: Partial<Error>[] = error instanceof AggregateError ? error.errors : [error];
  // Not everything in there is an error with a text.
  const textOf = (one: Partial<Error>): string => {
    if (one instanceof AggregateError) return reasonOf(one);
    return one?.message || one?.name || String(one);
  };
  const reasons = new Set(errors.map((one) => textOf(one).split('\n')[0]?.slice(0, 200)));
  return [...reasons].join('; ');
}
