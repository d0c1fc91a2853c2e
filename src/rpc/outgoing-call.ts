/**
 * A call to the far end while its answer is awaited. It ends exactly once: by its answer, its deadline, its signal, or the end
 * of the channel. Made and owned by an endpoint; one object and no closure per call, because there may be very many.
 */

import { MeshError } from '../mesh/errors.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import type { RpcId, RpcParams } from './message.ts';

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds until the request fails with `timeout`. */
  deadlineMs: number;
  onProgress?: ((params: RpcParams) => void) | undefined;
  /** A result that came although the caller had given up: to undo what it stands for. */
  onLate?: ((result: unknown) => void) | undefined;
}

/** The endpoint that a call goes out from. */
export interface CallOwner {
  readonly deadlines: Deadlines;
  /** The call has ended: no answer is awaited any more. */
  ended(call: OutgoingCall): void;
  /** The caller gave up before an answer came: the far end is to be told. */
  givenUp(call: OutgoingCall, error: MeshError): void;
}

export class OutgoingCall implements Expiring {
  readonly id: RpcId;
  readonly method: string;
  readonly options: RequestOptions;
  dueMs = 0;
  readonly #owner: CallOwner;
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (error: MeshError) => void;
  #ended = false;

  constructor(
    owner: CallOwner,
    id: RpcId,
    method: string,
    options: RequestOptions,
    resolve: (result: unknown) => void,
    reject: (error: MeshError) => void,
  ) {
    this.#owner = owner;
    this.id = id;
    this.method = method;
    this.options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    owner.deadlines.add(this, options.deadlineMs);
    options.signal?.addEventListener('abort', this, { once: true });
  }

  succeed(result: unknown): void {
    if (this.#end()) this.#resolve(result);
  }

  fail(error: MeshError): void {
    if (this.#end()) this.#reject(error);
  }

  /** The deadline has passed. */
  expire(): void {
    this.#giveUp(timeoutError(this.method, this.options.deadlineMs));
  }

  /** The caller's signal fired: this object is its listener. */
  handleEvent(): void {
    this.#giveUp(new MeshError('cancelled', 'The call was cancelled by its caller.'));
  }

  #giveUp(error: MeshError): void {
    if (!this.#ended) this.#owner.givenUp(this, error);
    this.fail(error);
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#owner.deadlines.delete(this);
    this.options.signal?.removeEventListener('abort', this);
    this.#owner.ended(this);
    return true;
  }
}

export function timeoutError(method: string, deadlineMs: number | undefined): MeshError {
  return new MeshError(
    'timeout',
    `No answer to ${method} within ${deadlineMs} ms; the work may or may not have been done. Look, then try again.`,
  );
}
