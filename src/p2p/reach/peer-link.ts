/**
 * One carriage stream with a peer, from its first request to its end. Made and owned by the peer links, which know which of a
 * pair's streams is used.
 *
 * ```
 * open ──far side ends its half, or this one retires it──▶ ending ──nothing in flight──▶ closed
 *   └──far side says that it retires it──▶ retiring: no new requests from here ──far side closes──▶ closed
 * ```
 */

import type { Stream } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import { Endpoint, type Handler } from '../../rpc/endpoint.ts';
import { StreamBinding } from '../mcp/binding.ts';
import { StreamChannel } from '../stream-channel.ts';
import type { ReadBudget } from '../trust/read-budget.ts';

/** How long nothing may be in flight on a retired stream before it is closed, in milliseconds: the peer may be about to send. */
const retireMs = 1_000;

/** Told before an idle stream is closed, so that the far side sends nothing more on it. Others may ignore it. */
const retiringMethod = 'notifications/taskmesh/retiring';

export interface PeerLinkOptions {
  peerId: string;
  /** Peer id of the side that opened the stream. */
  openedBy: string;
  clock: Clock;
  limits: Limits;
  /** What may be read of the peer; undefined: everything. */
  budget: ReadBudget | undefined;
  /** Answers the peer's requests. */
  handler: Handler;
  /** The peer broke the framing. */
  onBroken?(): void;
  onClosed(link: PeerLink): void;
}

export class PeerLink {
  readonly stream: Stream;
  readonly endpoint: Endpoint;
  readonly openedBy: string;
  readonly #binding: StreamBinding;
  readonly #clock: Clock;
  readonly #closed = Promise.withResolvers<void>();
  /** No new requests, and closed when the last answer is out. */
  #ending = false;
  /** The far side will close it when nothing is in flight: no new requests. */
  #retiring = false;
  /** When something was in flight last, in monotonic milliseconds. */
  #movedMs: number;
  /** Set while this side retires the link: looks whether it can be closed. */
  #lookWhetherIdle: (() => void) | undefined;

  constructor(stream: Stream, options: PeerLinkOptions) {
    const { peerId, openedBy, clock, limits, budget, handler } = options;
    this.stream = stream;
    this.openedBy = openedBy;
    this.#clock = clock;
    this.#movedMs = clock.monotonicMs();
    this.#binding = new StreamBinding(handler);
    const channel = new StreamChannel(stream, {
      clock,
      limits,
      budget,
      onBroken: options.onBroken,
      onHalfClosed: () => {
        this.#ending = true;
        this.#endIfDone();
      },
    });
    this.endpoint = new Endpoint(channel, {
      clock,
      maxInFlight: limits.maxInFlight,
      maxBufferedBytes: limits.maxBufferedBytes,
      handle: (method, params, call) =>
        this.#binding.handle(method, params, call).finally(() => {
          // After the answer was written, which the endpoint does in the microtasks that follow.
          if (this.#ending) setImmediate(() => this.#endIfDone());
        }),
      onNotification: (method) => {
        if (method === retiringMethod) this.#retiring = true;
      },
      onIdle: () => {
        this.#movedMs = clock.monotonicMs();
        this.#lookWhetherIdle?.();
      },
      onClosed: () =>
        queueMicrotask(() => {
          options.onClosed(this);
          this.#closed.resolve();
        }),
      closedError: (cause, unsent) => closedError(peerId, cause, unsent),
    });
  }

  /** Whether requests may be sent on it. */
  get usable(): boolean {
    return !this.#ending && !this.#retiring && !this.endpoint.closed && this.#binding.mayBeAsked;
  }

  /** Tells the far side and retires the link when nothing was in flight on it for `idleMs`. */
  retireIfIdle(idleMs: number): void {
    if (this.#busy || this.#ending || this.#clock.monotonicMs() - this.#movedMs < idleMs) return;
    this.endpoint.notify(retiringMethod, {});
    void this.retire();
  }

  /** No new requests from here; resolves when nothing was in flight for a moment and it is closed. What still comes is answered. */
  async retire(): Promise<void> {
    this.#ending = true;
    let cancelTimer: CancelTimer | undefined;
    this.#lookWhetherIdle = () => {
      cancelTimer?.();
      if (this.#busy) return;
      cancelTimer = this.#clock.setTimer(retireMs, () => {
        if (!this.#busy) this.endpoint.close();
      });
    };
    if (!this.endpoint.closed) {
      this.#lookWhetherIdle();
      await this.#closed.promise;
    }
    cancelTimer?.();
  }

  get #busy(): boolean {
    return this.endpoint.inFlight > 0 || this.endpoint.serving > 0;
  }

  #endIfDone(): void {
    if (this.#ending && this.endpoint.serving === 0) this.endpoint.close();
  }
}

/** Codes with which a peer ends the whole stream. */
const lastWords: ReadonlySet<string> = new Set(['unauthorized', 'rate_limited']);

function closedError(peerId: string, cause: Error | undefined, unsent = false): MeshError {
  // The peer's last word was that it does not serve this node: that is the answer.
  if (cause instanceof MeshError && lastWords.has(cause.code)) return cause;
  if (unsent) return new UnsentError(peerId, cause);
  return unreachable(peerId, 'the connection broke before it answered; the work may or may not have been done', cause);
}

/** The stream ended before anything of the request was written. */
export class UnsentError extends MeshError {
  constructor(peerId: string, cause?: Error) {
    const message = `Peer ${peerId} is out of reach: the connection broke before the request was sent. Try again.`;
    super('peer_unreachable', message, { cause, details: { peer_id: peerId } });
  }
}

/** The error for a peer that cannot be had; `why` ends a sentence. */
export function unreachable(peerId: string, why: string, cause?: Error): MeshError {
  const message = `Peer ${peerId} is out of reach: ${why}. Look whether it runs, then try again.`;
  return new MeshError('peer_unreachable', message, { cause, details: { peer_id: peerId } });
}
