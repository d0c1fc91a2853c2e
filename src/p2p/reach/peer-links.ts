/**
 * One carriage stream per pair of peers, used from both ends: who needs the peer asks here, and the stream is there, is opened,
 * or is opened again after a loss. Requests that need the same peer at once share one dial.
 *
 * When both sides open a stream at the same moment, both streams stay and both sides use the one that the lesser peer id
 * opened, so that traffic meets on one stream again.
 */

import type { Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Handler } from '../../rpc/endpoint.ts';
import type { RpcParams } from '../../rpc/message.ts';
import type { RequestOptions } from '../../rpc/outgoing-call.ts';
import type { ReadBudget } from '../trust/read-budget.ts';
import { withDeadline } from '../with-deadline.ts';
import { PeerLink, UnsentError, unreachable } from './peer-link.ts';

export interface PeerLinksOptions {
  localPeerId: string;
  clock: Clock;
  limits: Limits;
  /** Dials if need be and negotiates a stream. Rejects with a `MeshError`. */
  openStream(peerId: string, addresses: readonly Multiaddr[], signal: AbortSignal): Promise<Stream>;
  /** What may be read of the peer. Default: everything. */
  budgetFor?(peerId: string): ReadBudget;
  /** The peer broke the framing of a stream. */
  onBroken?(peerId: string): void;
  /** Answers the peer's requests. */
  handlerFor(peerId: string): Handler;
}

interface Opening {
  readonly link: Promise<PeerLink>;
  readonly addresses: ReadonlySet<string>;
}

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  readonly #links = new Map<string, PeerLink[]>();
  readonly #opening = new Map<string, Opening>();
  readonly #closing = new AbortController();
  #cancelSweep: CancelTimer | undefined;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  /** Streams that are open with each peer, whoever opened them. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#links].map(([peerId, links]) => [peerId, links.length]));
  }

  /** Takes over a stream that the peer opened; one too many is cut. */
  accept(peerId: string, stream: Stream): void {
    if (
      this.#closing.signal.aborted ||
      (this.#links.get(peerId)?.length ?? 0) >= this.#options.limits.maxStreamsPerPeer
    ) {
      stream.abort(new Error('too many streams of one peer'));
      return;
    }
    this.#add(peerId, peerId, stream);
  }

  /**
   * Asks a peer. The deadline covers dialling too. Rejects with the peer's own error, `peer_unreachable`, `peer_not_found`,
   * `timeout`, `cancelled` or `busy`.
   */
  async request(
    peerId: string,
    addresses: readonly Multiaddr[],
    method: string,
    params: RpcParams,
    options: RequestOptions,
  ): Promise<unknown> {
    const ready = this.#best(peerId);
    if (ready === undefined) return this.#requestAnew(peerId, addresses, method, params, options);
    try {
      return await ready.endpoint.request(method, params, options);
    } catch (error) {
      // Not a byte of it has left: on a new stream it is the first of its kind.
      if (!(error instanceof UnsentError) || options.signal?.aborted) throw error;
      return this.#requestAnew(peerId, addresses, method, params, options);
    }
  }

  /**
   * No new requests on these streams; resolves when nothing was in flight on them for a moment and they are closed. A peer that
   * has not noticed yet may still send requests there, and they are answered. `streams` is asked again each time.
   */
  async retire(peerId: string, streams: () => readonly Stream[]): Promise<void> {
    for (;;) {
      const retiring = new Set(streams());
      const links = (this.#links.get(peerId) ?? []).filter(({ stream }) => retiring.has(stream));
      if (links.length === 0) return;
      await Promise.all(links.map((link) => link.retire()));
    }
  }

  /** Ends the streams with a peer, and tells it why. */
  end(peerId: string, error: MeshError): void {
    for (const { endpoint } of [...(this.#links.get(peerId) ?? [])]) endpoint.refuse(error);
  }

  /** Fails what is in flight and closes all streams; nothing can be opened any more. */
  close(): void {
    this.#closing.abort();
    this.#cancelSweep?.();
    for (const links of [...this.#links.values()]) for (const { endpoint } of [...links]) endpoint.close();
  }

  async #requestAnew(
    peerId: string,
    addresses: readonly Multiaddr[],
    method: string,
    params: RpcParams,
    options: RequestOptions,
  ): Promise<unknown> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const link = await withDeadline(
      { clock, deadlineMs: options.deadlineMs, signal: options.signal },
      () => this.#open(peerId, addresses),
      () => unreachable(peerId, `it could not be connected to within ${options.deadlineMs} ms`),
    );
    const deadlineMs = Math.max(1, options.deadlineMs - (clock.monotonicMs() - startedMs));
    return (this.#best(peerId) ?? link).endpoint.request(method, params, { ...options, deadlineMs });
  }

  /** One timer for all streams: most are used long before it fires. */
  #sweepLater(): void {
    const { clock, limits } = this.#options;
    this.#cancelSweep ??= clock.setTimer(limits.streamIdleMs / 2, () => {
      this.#cancelSweep = undefined;
      for (const link of [...this.#links.values()].flat()) link.retireIfIdle(limits.streamIdleMs);
      if (this.#links.size > 0) this.#sweepLater();
    });
  }

  #best(peerId: string): PeerLink | undefined {
    let best: PeerLink | undefined;
    for (const link of this.#links.get(peerId) ?? []) {
      if (link.usable && (best === undefined || link.openedBy < best.openedBy)) best = link;
    }
    return best;
  }

  /** One opening per peer at a time; it lives as long as a dial may, however many wait for it. */
  #open(peerId: string, addresses: readonly Multiaddr[]): Promise<PeerLink> {
    const running = this.#opening.get(peerId);
    if (running !== undefined) {
      const nothingNew = addresses.every((address) => running.addresses.has(address.toString()));
      // Who knows another address must not fail because the ones that were known before lead nowhere.
      return nothingNew ? running.link : running.link.catch(() => this.#open(peerId, addresses));
    }
    const { clock, limits, localPeerId } = this.#options;
    const opening = withDeadline(
      { clock, deadlineMs: limits.dialDeadlineMs, signal: this.#closing.signal },
      async (signal) => this.#add(peerId, localPeerId, await this.#options.openStream(peerId, addresses, signal)),
      () => unreachable(peerId, `it could not be connected to within ${limits.dialDeadlineMs} ms`),
    ).finally(() => this.#opening.delete(peerId));
    this.#opening.set(peerId, { link: opening, addresses: new Set(addresses.map(String)) });
    // Whoever waits hears of a failure; nobody may be left.
    opening.catch(() => {});
    return opening;
  }

  #add(peerId: string, openedBy: string, stream: Stream): PeerLink {
    const { clock, limits, budgetFor, handlerFor } = this.#options;
    if (this.#closing.signal.aborted) {
      stream.abort(new Error('the node is stopping'));
      throw new MeshError('mesh_down', 'The node is stopping. Try again when it is up.');
    }
    const links = this.#links.get(peerId) ?? [];
    const link = new PeerLink(stream, {
      peerId,
      openedBy,
      clock,
      limits,
      budget: budgetFor?.(peerId),
      handler: handlerFor(peerId),
      onBroken: () => this.#options.onBroken?.(peerId),
      onClosed: (closed) => {
        const at = links.indexOf(closed);
        if (at >= 0) links.splice(at, 1);
        if (links.length === 0 && this.#links.get(peerId) === links) this.#links.delete(peerId);
      },
    });
    if (!link.endpoint.closed) {
      links.push(link);
      this.#links.set(peerId, links);
      this.#sweepLater();
    }
    return link;
  }
}
