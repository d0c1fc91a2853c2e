/** One attempt to get to a place, told in the words of `discover`. Used by the keeper in the background and by the trace. */

import type { Clock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import type { Peer } from '../peer-client.ts';
import { withDeadline } from '../with-deadline.ts';
import type { DiscoveryMethod, PeerBook } from './peer-book.ts';
import type { Place } from './place.ts';

export type Attempt = OperationOutput<'discover'>['attempts'][number];

export interface AttemptOptions {
  ownPeerId: string;
  clock: Clock;
  book: PeerBook;
  deadlineMs: number;
  signal?: AbortSignal | undefined;
  /**
   * Connects if need be, and makes sure that the peer serves this node. Answers the address in use; `exactly`: no other than the
   * named one will do.
   */
  dial(peer: Peer, signal: AbortSignal, exactly: boolean): Promise<string>;
}

/** Tries one place. Never rejects; undefined when the place is this node itself. */
export async function attempt(place: Place, options: AttemptOptions): Promise<Attempt | undefined> {
  const { clock, deadlineMs, signal, ownPeerId } = options;
  const startedMs = clock.monotonicMs();
  const tried = untried(place.method);
  try {
    tried.multiaddr = await withDeadline(
      { clock, deadlineMs, signal },
      async (stop) => {
        const peer = await place.resolve();
        tried.peer_id = peer.peerId;
        tried.multiaddr = peer.addresses[0]?.toString() ?? '';
        if (peer.peerId === ownPeerId) return '';
        options.book.found(peer.peerId, place.method);
        return options.dial(peer, stop, place.exactly ?? false);
      },
      () => new MeshError('timeout', 'It did not answer in time.'),
    );
    if (tried.peer_id === ownPeerId) return undefined;
    tried.ok = true;
    tried.outcome = 'connected';
  } catch (thrown) {
    const durationMs = clock.monotonicMs() - startedMs;
    const { code, details } = toMeshError(thrown);
    const silent = code === 'timeout' || details?.silent === true;
    tried.error = silent ? `timeout: It did not answer within ${Math.round(durationMs)} ms.` : reason(thrown);
    return { ...tried, duration_ms: durationMs };
  }
  return { ...tried, duration_ms: clock.monotonicMs() - startedMs };
}

/** A method that named nobody, or that is not used: the trace says so, and why. */
export function noAttempt(method: DiscoveryMethod, outcome: 'nothing' | 'off', error: string, durationMs = 0): Attempt {
  return { ...untried(method), outcome, error, duration_ms: durationMs };
}

/** A method that failed before it could name a peer, or at asking the peer that it names. */
export function failedAttempt(method: DiscoveryMethod, peerId: string, thrown: unknown, durationMs: number): Attempt {
  return { ...untried(method), peer_id: peerId, error: reason(thrown), duration_ms: durationMs };
}

function untried(method: DiscoveryMethod): Attempt {
  return { method, ok: false, outcome: 'failed', peer_id: '', multiaddr: '', error: '', duration_ms: 0 };
}

function reason(thrown: unknown): string {
  const { code, message } = toMeshError(thrown);
  return `${code}: ${message}`;
}
