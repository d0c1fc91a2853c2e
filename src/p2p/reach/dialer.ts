/** Dials peers and opens carriage streams, and turns libp2p's errors into the mesh's. Used by links, discovery and `connect`. */

import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { carriageProtocol } from '../carriage.ts';
import type { Host } from '../libp2p-host.ts';
import { withDeadline } from '../with-deadline.ts';
import { isRelayed, parsePeerId } from './addresses.ts';
import { type DialRace, dialRace } from './dial-race.ts';
import { PeerDial, unless } from './peer-dial.ts';

/** One address, to the end of the handshake, in milliseconds. */
const addressDeadlineMs = 5_000;

export interface DialerOptions {
  host: Host;
  clock: Clock;
  /** Resolves when the far side of a connection serves this node. Rejects with `unauthorized`. */
  greeted?(connection: Connection): Promise<void>;
  /** The same, asked anew unless the connection is new. Rejects when it does not work, too. */
  confirmed?(connection: Connection, isNew: boolean): Promise<void>;
  /** Why this node does not go to the peer; undefined: it does. */
  shutOut?(peerId: string): MeshError | undefined;
  /** Addresses of the peer from elsewhere than libp2p's own store. */
  known(peerId: string): readonly Multiaddr[];
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #dialling = new Map<string, PeerDial>();

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /**
   * A connection to the peer that is served there: the one that is open, a direct one before a relayed one, or a new one to the
   * addresses, or to those that are known. Those who dial the same peer share what they find. Rejects with `peer_not_found`,
   * `peer_unreachable` or `unauthorized`.
   */
  async dial(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const refusal = this.#options.shutOut?.(peerId);
    if (refusal !== undefined) throw refusal;
    try {
      const open = this.connectionTo(peerId);
      if (open !== undefined) {
        // It may stand on the far side's porch.
        await unless(signal, this.#greeted(open));
        if (open.status === 'open') return open;
      }
      const named = addresses.length > 0 ? addresses : await this.#known(peerId);
      const running = this.#dialling.get(peerId);
      if (running !== undefined) return await running.join(named, signal);
      if (named.length === 0)
        throw new MeshError('peer_not_found', noAddress(peerId), { details: { peer_id: peerId } });
      // Looking them up takes a moment, in which the peer may have come by itself.
      if (addresses.length === 0 && this.connectionTo(peerId) !== undefined) return this.dial(peerId, named, signal);
      const dial: PeerDial = new PeerDial(
        (stop) => this.#race(peerId, named, stop),
        (connection) => this.#greeted(connection),
        () => {
          if (this.#dialling.get(peerId) === dial) this.#dialling.delete(peerId);
        },
      );
      this.#dialling.set(peerId, dial);
      return await dial.join(named, signal);
    } catch (cause) {
      throw dialError(peerId, cause as Error);
    }
  }

  /** As `dial`; but a connection that was there before has to prove that it works, and that the far side serves this node now. */
  async reach(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const others = this.#dialling.has(peerId) || this.#connectionsTo(peerId).length > 0;
    try {
      return await this.#reach(peerId, addresses, signal);
    } catch (cause) {
      // What others had begun may have been refused before the far side was told to serve this node.
      const maybeStale = others && (cause as MeshError).code === 'unauthorized' && !signal.aborted;
      if (!maybeStale || this.#options.shutOut?.(peerId) !== undefined) throw cause;
      return await this.#reach(peerId, addresses, signal).catch((second: MeshError) => {
        throw second.code === 'unauthorized' ? second : cause;
      });
    }
  }

  async #reach(
    peerId: string,
    addresses: readonly Multiaddr[],
    signal: AbortSignal,
    again = false,
  ): Promise<Connection> {
    const before = new Set(this.#connectionsTo(peerId));
    const connection = await this.dial(peerId, addresses, signal);
    try {
      await unless(signal, this.#confirmed(connection, !before.has(connection)));
    } catch (cause) {
      // One that was about to end says nothing about the peer.
      const ended = connection.status !== 'open' && (cause as MeshError).code !== 'unauthorized';
      if (ended && !again && !signal.aborted) return this.#reach(peerId, addresses, signal, true);
      throw dialError(peerId, cause as Error);
    }
    return connection;
  }

  /**
   * Whether the named address leads to the peer, also when the peer is connected by another one: what was dialled only to find
   * out is closed again. Rejects as `dial`.
   */
  async tryAddress(peerId: string, address: Multiaddr, signal: AbortSignal): Promise<void> {
    // Who is refused must not come twice at once: the far side has room for few whom it does not serve.
    await this.reach(peerId, [address], signal);
    const others = this.#connectionsTo(peerId);
    if (others.some((open) => open.direction === 'outbound' && isSame(open.remoteAddr, address))) return;
    try {
      const connection = await this.dialAnew(peerId, [address], signal);
      await unless(signal, this.#confirmed(connection, true));
      const better = this.#connectionsTo(peerId).some(
        (other) => other !== connection && (isRelayed(address) || !isRelayed(other.remoteAddr)),
      );
      const used = connection.streams.some(({ protocol }) => protocol === carriageProtocol);
      if (better && !used) await connection.close().catch((error: Error) => connection.abort(error));
    } catch (cause) {
      throw dialError(peerId, cause as Error, this.connectionTo(peerId)?.remoteAddr);
    }
  }

  /** The best open connection to the peer. */
  connectionTo(peerId: string): Connection | undefined {
    const open = this.#connectionsTo(peerId);
    return open.find(({ remoteAddr }) => !isRelayed(remoteAddr)) ?? open[0];
  }

  /** A new connection to one of these addresses, whatever connections there are. Rejects with an `AggregateError`. */
  dialAnew(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    return this.#race(peerId, addresses, signal).connection;
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

  #connectionsTo(peerId: string): Connection[] {
    return this.#options.host.getConnections(parsePeerId(peerId)).filter(({ status }) => status === 'open');
  }

  #greeted(connection: Connection): Promise<void> {
    return this.#options.greeted?.(connection) ?? Promise.resolve();
  }

  #confirmed(connection: Connection, isNew: boolean): Promise<void> {
    return this.#options.confirmed?.(connection, isNew) ?? Promise.resolve();
  }

  #race(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): DialRace {
    const { host, clock } = this.#options;
    const { transportManager, connectionGater } = host.services.parts;
    return dialRace(addresses, {
      clock,
      signal,
      async dial(address, stop) {
        if ((await connectionGater.denyDialPeer?.(parsePeerId(peerId))) === true)
          throw new Error('this node may not connect to it');
        return withDeadline(
          { clock, deadlineMs: addressDeadlineMs, signal: stop, dropped: (late) => late.abort(new Error('too late')) },
          (dropped) => transportManager.dial(address, { signal: dropped }),
          () => new MeshError('timeout', `${address} did not answer`),
        );
      },
    });
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

function noAddress(peerId: string): string {
  return `No address of peer ${peerId} is known. Name its multiaddr, or let discovery find it first.`;
}

/** Nobody listens there; anything else may also be the far end of a handshake with another key, which breaks off or is silent. */
const nobody = /ECONNREFUSED|refused|EHOSTUNREACH|ENETUNREACH|unreachable/i;

/** `connected`: by which address the peer is connected all the same. */
function dialError(peerId: string, cause: Error, connected?: Multiaddr): MeshError {
  if (cause instanceof MeshError && cause.code !== 'timeout') return cause;
  const why = reasonOf(cause);
  const next =
    connected !== undefined
      ? `It is connected all the same, by ${connected}.`
      : nobody.test(why)
        ? 'Look whether it runs, then try again.'
        : 'Look whether it runs and whether both machines have the same mesh.key, or none, then try again.';
  return new MeshError('peer_unreachable', `Peer ${peerId} could not be connected to: ${why}. ${next}`, {
    cause,
    details: { peer_id: peerId, ...(isSilence(cause) ? { silent: true } : {}) },
  });
}

/** Nobody refused and nothing broke: there was no answer. */
function isSilence(cause: unknown): boolean {
  if (cause instanceof AggregateError) return cause.errors.length > 0 && cause.errors.every(isSilence);
  return cause instanceof MeshError && cause.code === 'timeout';
}

function isSame(one: Multiaddr, other: Multiaddr): boolean {
  const withoutPeer = (address: Multiaddr): string => address.toString().replace(/\/p2p\/[^/]+$/, '');
  return withoutPeer(one) === withoutPeer(other);
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
