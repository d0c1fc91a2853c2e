/** Python nodes as `peers`, `discover` and `status` tell of them. Called by the node's router with its own callers' questions. */

import type { Clock } from '../../mesh/clock.ts';
import { type MeshError, toMeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../../mesh/operations.ts';
import type { PythonPeer } from './python-peer.ts';

type PeerView = OperationOutput<'peers'>['peers'][number];
type Attempt = OperationOutput<'discover'>['attempts'][number];
type Detail = NonNullable<NonNullable<OperationOutput<'status'>['detail']>['python']>;

export class PythonNodes {
  readonly #peers: readonly PythonPeer[];
  readonly #clock: Clock;

  constructor(peers: readonly PythonPeer[], clock: Clock) {
    this.#peers = peers;
    this.#clock = clock;
  }

  /** The answer with the Python nodes in it; other operations' answers stay as they are. */
  async shown<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    answer: Promise<OperationOutput<Name>>,
    signal?: AbortSignal,
  ): Promise<OperationOutput<Name>> {
    if (name === 'peers') {
      const { connected_only, limit } = input as CheckedInput<'peers'>;
      const { peer_id, peers } = (await answer) as OperationOutput<'peers'>;
      const nodes = (await this.#views()).filter(({ connected }) => connected || !connected_only);
      return { peer_id, peers: [...peers, ...nodes].slice(0, limit) } as OperationOutput<Name>;
    }
    if (name === 'discover') {
      const { timeout_s } = input as CheckedInput<'discover'>;
      const tried = Promise.all(this.#peers.map((peer) => this.#attempt(peer, timeout_s * 1000, signal)));
      const { peers, attempts } = (await answer) as OperationOutput<'discover'>;
      const rows = await tried;
      const there = new Set([...peers, ...rows.filter(({ ok }) => ok).map(({ peer_id }) => peer_id)]);
      return { peers: [...there], attempts: [...attempts, ...rows] } as OperationOutput<Name>;
    }
    return answer;
  }

  report(): Detail['nodes'] {
    return this.#peers.map(({ place }) => ({
      place: place.text,
      peer_id: place.peerId,
      connected: place.connection !== undefined,
      error: errorOf(place),
    }));
  }

  #views(): Promise<PeerView[]> {
    return Promise.all(
      this.#peers.map(async ({ place }): Promise<PeerView> => {
        const { connection } = place;
        return {
          peer_id: place.peerId,
          protocol: 'python',
          connected: connection !== undefined,
          direction: connection?.direction ?? null,
          addresses: [place.address],
          agent: await place.agent(),
          latency_ms: connection?.rtt ?? null,
          found_by: ['python'],
          error: errorOf(place),
        };
      }),
    );
  }

  /** Connects, and asks one thing: whether the node speaks the protocol and takes the token. Never rejects. */
  async #attempt(peer: PythonPeer, deadlineMs: number, signal: AbortSignal | undefined): Promise<Attempt> {
    const { place } = peer;
    const fromMs = this.#clock.monotonicMs();
    let error = '';
    try {
      await peer.ask('status', { timeout_s: deadlineMs / 1000, detail: false }, { deadlineMs, signal });
    } catch (thrown) {
      error = textOf(toMeshError(thrown));
    }
    return {
      method: 'python',
      ok: error === '',
      outcome: error === '' ? 'connected' : 'failed',
      peer_id: place.peerId,
      multiaddr: place.address,
      error,
      duration_ms: this.#clock.monotonicMs() - fromMs,
    };
  }
}

function errorOf({ trouble }: PythonPeer['place']): string {
  return trouble === undefined ? '' : textOf(trouble);
}

function textOf({ code, message }: MeshError): string {
  return `${code}: ${message}`;
}
