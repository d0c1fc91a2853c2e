/**
 * One end of the RPC over any `Channel`. Both ends may ask and answer at once.
 *
 * A request ends exactly once: by its answer, its deadline, its signal, or the end of the channel. When the caller gives up
 * (deadline or signal) the far end is told. The far end obeys the deadline by itself too, should the message be lost.
 * Bounds: `maxInFlight` each way, `maxBufferedBytes` towards a slow reader; beyond them calls are refused as `busy`.
 */

import type { Clock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { Channel } from './channel.ts';
import { Deadlines, type Expiring } from './deadlines.ts';
import { failureOf, meshErrorOf } from './errors.ts';
import { type CallSource, IncomingCall } from './incoming-call.ts';
import {
  cancelledMethod,
  deadlineKey,
  kindOf,
  progressMethod,
  progressTokenKey,
  type RpcFailure,
  type RpcId,
  type RpcNotification,
  type RpcParams,
  type RpcRequest,
  type RpcResult,
} from './message.ts';
import { type CallOwner, OutgoingCall, type RequestOptions, timeoutError } from './outgoing-call.ts';

/** Answers a request. What it throws goes back as an error. */
export type Handler = (method: string, params: RpcParams, call: IncomingCall) => Promise<unknown>;

export interface EndpointOptions {
  handle: Handler;
  onNotification?(method: string, params: RpcParams): void;
  /** Nothing is in flight any more, in either direction. */
  onIdle?(): void;
  /** The channel ended; all requests in flight were failed before. */
  onClosed?(cause?: Error): void;
  /** A request failed with `internal_error`: the far end hears that it failed, and not why. */
  onFault?(method: string, thrown: unknown): void;
  /** Something came that is no message; the default is to close. */
  onInvalid?(message: unknown): void;
  clock: Clock;
  maxInFlight: number;
  maxBufferedBytes: number;
  /** The error for requests in flight when the channel ends. `unsent`: it is known that not a byte of this one has left. */
  closedError(cause?: Error, unsent?: boolean): MeshError;
}

/** How long a result that nobody waits for any more is listened for, so that it can be undone. */
const lateMs = 30_000;

/** A result that nobody waits for any more, until it comes or its time is over. */
interface LateResult extends Expiring {
  readonly undo: (result: unknown) => void;
}

export class Endpoint {
  readonly #channel: Channel;
  readonly #options: EndpointOptions;
  readonly #deadlines: Deadlines;
  readonly #owner: CallOwner;
  readonly #source: CallSource;
  readonly #pending = new Map<RpcId, OutgoingCall>();
  readonly #late = new Map<RpcId, LateResult>();
  readonly #serving = new Set<IncomingCall>();
  /** Of those, the newest of each id: an id may be repeated. */
  readonly #incoming = new Map<RpcId, IncomingCall>();
  #nextId = 1;
  #closed = false;
  /** What the far side said about the whole channel, before it ends it. */
  #lastWord: MeshError | undefined;

  constructor(channel: Channel, options: EndpointOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    this.#owner = {
      deadlines: this.#deadlines,
      ended: ({ id }) => {
        this.#pending.delete(id);
        this.#idle();
      },
      givenUp: (call, error) => this.#giveUp(call, error),
    };
    this.#source = {
      deadlines: this.#deadlines,
      sendProgress: (params) => this.notify(progressMethod, params),
    };
    channel.open({ message: (message) => this.#receive(message), closed: (cause, unsent) => this.#end(cause, unsent) });
  }

  /** Requests of this end that wait for their answer. */
  get inFlight(): number {
    return this.#pending.size;
  }

  /** Requests of the far end that are being worked on. */
  get serving(): number {
    return this.#serving.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Asks the far end. Rejects with a `MeshError`: the far end's own, `timeout`, `cancelled`, `busy`, or the closed error. */
  request(method: string, params: RpcParams, options: RequestOptions): Promise<unknown> {
    const refusal = this.#refusal(options.signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const call = new OutgoingCall(this.#owner, id, method, options, resolve, reject);
      this.#pending.set(id, call);
      const meta: Record<string, unknown> = { ...params._meta };
      meta[deadlineKey] = options.deadlineMs;
      if (options.onProgress) meta[progressTokenKey] = id;
      this.#post({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }, call);
    });
  }

  /** Tells the far end something; no answer, no promise that it arrives. */
  notify(method: string, params: RpcParams): void {
    if (!this.#closed) this.#channel.post({ jsonrpc: '2.0', method, params });
  }

  /** Ends the channel and tells the far side why, in an error that answers no request. */
  refuse(error: MeshError): void {
    if (this.#closed) return;
    this.#channel.post({ jsonrpc: '2.0', id: null, error: failureOf(error) });
    this.close(error);
  }

  /** Ends the channel: what is in flight fails with the closed error, what is being served is aborted. Idempotent. */
  close(cause?: Error): void {
    if (this.#closed) return;
    this.#end(cause);
    this.#channel.close();
  }

  #refusal(signal: AbortSignal | undefined): MeshError | undefined {
    if (this.#closed) return this.#options.closedError(undefined, true);
    if (signal?.aborted) return new MeshError('cancelled', 'The call was cancelled before it was sent.');
    if (this.#pending.size >= this.#options.maxInFlight) {
      return new MeshError(
        'busy',
        `${this.#pending.size} calls are in flight already. Wait for some of them, then try again.`,
      );
    }
    if (this.#channel.bufferedBytes > this.#options.maxBufferedBytes) {
      return new MeshError(
        'busy',
        'The far side reads more slowly than this one writes. Wait for answers, then try again.',
      );
    }
    return undefined;
  }

  #giveUp({ id, options }: OutgoingCall, { code }: MeshError): void {
    if (options.onLate) this.#listenLate(id, options.onLate);
    this.notify(cancelledMethod, { requestId: id, reason: code });
  }

  #post(request: RpcRequest, call: OutgoingCall): void {
    try {
      this.#channel.post(request);
    } catch (cause) {
      const what = 'The input cannot be sent: it holds something that is not plain JSON data.';
      call.fail(cause instanceof MeshError ? cause : new MeshError('invalid_params', what, { cause }));
    }
  }

  #receive(message: unknown): void {
    switch (kindOf(message)) {
      case 'request':
        this.#serve(message as RpcRequest);
        return;
      case 'response':
        this.#answered(message as RpcResult | RpcFailure);
        return;
      case 'notification':
        this.#notified(message as RpcNotification);
        return;
      default:
        if (this.#options.onInvalid) this.#options.onInvalid(message);
        else this.refuse(new MeshError('invalid_message', 'What came is no message of JSON-RPC 2.0.'));
    }
  }

  #answered(message: RpcResult | RpcFailure): void {
    if (message.id === null) {
      if ('error' in message) this.#lastWord = meshErrorOf(message.error);
      return;
    }
    const id = message.id as RpcId;
    const call = this.#pending.get(id);
    if (call !== undefined) {
      if ('error' in message) call.fail(meshErrorOf(message.error));
      else call.succeed(message.result);
      return;
    }
    const late = this.#late.get(id);
    if (late === undefined) return;
    this.#late.delete(id);
    this.#deadlines.delete(late);
    if ('result' in message) late.undo(message.result);
  }

  #listenLate(id: RpcId, undo: (result: unknown) => void): void {
    const late: LateResult = { undo, dueMs: 0, expire: () => this.#late.delete(id) };
    this.#late.set(id, late);
    this.#deadlines.add(late, lateMs);
  }

  #notified({ method, params = {} }: RpcNotification): void {
    if (method === cancelledMethod) this.#incoming.get(params.requestId as RpcId)?.abort('cancelled');
    else if (method === progressMethod) this.#pending.get(params.progressToken as RpcId)?.options.onProgress?.(params);
    else this.#options.onNotification?.(method, params);
  }

  #serve({ id, method, params = {} }: RpcRequest): void {
    if (
      this.#serving.size >= this.#options.maxInFlight ||
      this.#channel.bufferedBytes > this.#options.maxBufferedBytes
    ) {
      this.#refuse(
        id,
        new MeshError('busy', 'The node has as many calls in flight as it takes. Try again a little later.'),
      );
      return;
    }
    const call = new IncomingCall(params._meta, this.#source);
    // Some clients repeat an id: a cancellation reaches the newest call of it, the end of the channel all of them.
    this.#incoming.set(id, call);
    this.#serving.add(call);
    this.#options.handle(method, params, call).then(
      (result) => {
        this.#ended(id, call);
        try {
          if (!this.#closed) this.#channel.post({ jsonrpc: '2.0', id, result });
        } catch (thrown) {
          this.#refuse(id, thrown);
        }
      },
      (thrown) => {
        this.#ended(id, call);
        // Both ends watch the deadline; whichever comes first, the caller hears that it passed.
        const { code } = toMeshError(thrown);
        const late = call.timedOut && code === 'cancelled';
        if (code === 'internal_error') this.#options.onFault?.(method, thrown);
        this.#refuse(id, late ? timeoutError(method, call.deadlineMs) : thrown);
      },
    );
  }

  #refuse(id: RpcId, thrown: unknown): void {
    if (!this.#closed) this.#channel.post({ jsonrpc: '2.0', id, error: failureOf(toMeshError(thrown)) });
  }

  #ended(id: RpcId, call: IncomingCall): void {
    call.end();
    this.#serving.delete(call);
    if (this.#incoming.get(id) === call) this.#incoming.delete(id);
    this.#idle();
  }

  #idle(): void {
    if (this.#pending.size === 0 && this.#serving.size === 0 && !this.#closed) this.#options.onIdle?.();
  }

  #end(thrown?: Error, unsent?: ReadonlySet<RpcId>): void {
    if (this.#closed) return;
    this.#closed = true;
    const cause = this.#lastWord ?? thrown;
    for (const call of [...this.#pending.values()])
      call.fail(this.#options.closedError(cause, unsent?.has(call.id) ?? false));
    for (const call of [...this.#serving]) call.abort('closed');
    this.#late.clear();
    this.#deadlines.clear();
    this.#options.onClosed?.(cause);
  }
}
