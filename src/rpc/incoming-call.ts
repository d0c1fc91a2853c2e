/**
 * A call from the far end while it is being worked on: when to stop, and where progress goes.
 * The signal and the deadline's timer are made only when the handler asks for the signal: most calls never do.
 */

import type { Deadlines } from './deadlines.ts';
import { deadlineKey, progressTokenKey, type RpcParams } from './message.ts';

export class IncomingCall {
  /** Milliseconds that the far end will wait, or undefined when it did not say. */
  readonly deadlineMs: number | undefined;
  readonly #deadlines: Deadlines;
  readonly #progressToken: unknown;
  readonly #send: (params: RpcParams) => void;
  #controller: AbortController | undefined;
  #aborted: 'cancelled' | 'timeout' | 'closed' | undefined;
  #ended = false;

  constructor(meta: Record<string, unknown> | undefined, deadlines: Deadlines, send: (params: RpcParams) => void) {
    const deadlineMs = meta?.[deadlineKey];
    this.deadlineMs = typeof deadlineMs === 'number' && deadlineMs >= 0 ? deadlineMs : undefined;
    this.#progressToken = meta?.[progressTokenKey];
    this.#deadlines = deadlines;
    this.#send = send;
  }

  /** Fires when the far end gave up, its deadline is over, or the channel ended; never after the call's normal end. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(new DOMException('The far end gave up.', 'AbortError'));
      else if (this.deadlineMs !== undefined && !this.#ended) {
        this.#deadlines.add(this, this.deadlineMs, () => this.abort('timeout'));
      }
    }
    return this.#controller.signal;
  }

  /** Whether the far end asked for progress. */
  get wantsProgress(): boolean {
    return this.#progressToken !== undefined;
  }

  /** Whether the call was aborted here because its deadline passed, before the far end said anything. */
  get timedOut(): boolean {
    return this.#aborted === 'timeout';
  }

  /** Sends progress, if it was asked for. */
  progress(params: RpcParams): void {
    if (this.#progressToken === undefined || this.#ended || this.#aborted) return;
    this.#send({ ...params, progressToken: this.#progressToken });
  }

  abort(reason: 'cancelled' | 'timeout' | 'closed'): void {
    if (this.#ended || this.#aborted) return;
    this.#aborted = reason;
    this.#deadlines.delete(this);
    this.#controller?.abort(new DOMException('The far end gave up.', 'AbortError'));
  }

  /** The answer was given: drops the timer. */
  end(): void {
    this.#ended = true;
    this.#deadlines.delete(this);
  }
}
