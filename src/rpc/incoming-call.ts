/**
 * A call from the far end while it is being worked on: when to stop, and where progress goes.
 * The signal and the deadline's timer are made only when the handler asks for the signal: most calls never do.
 */

import type { Deadlines, Expiring } from './deadlines.ts';
import { deadlineKey, progressTokenKey, type RpcParams } from './message.ts';

/** The endpoint that a call came to: how what belongs to the call goes back. */
export interface CallSource {
  readonly deadlines: Deadlines;
  sendProgress(params: RpcParams): void;
}

export class IncomingCall implements Expiring {
  /** Milliseconds that the far end will wait, or undefined when it did not say. */
  readonly deadlineMs: number | undefined;
  dueMs = 0;
  readonly #source: CallSource;
  readonly #progressToken: unknown;
  #controller: AbortController | undefined;
  #aborted: 'cancelled' | 'timeout' | 'closed' | undefined;
  #ended = false;

  constructor(meta: Record<string, unknown> | undefined, source: CallSource) {
    const deadlineMs = meta?.[deadlineKey];
    this.deadlineMs = typeof deadlineMs === 'number' && deadlineMs >= 0 ? deadlineMs : undefined;
    this.#progressToken = meta?.[progressTokenKey];
    this.#source = source;
  }

  /** Fires when the far end gave up, its deadline is over, or the channel ended; never after the call's normal end. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(new DOMException('The far end gave up.', 'AbortError'));
      else if (this.deadlineMs !== undefined && !this.#ended) {
        this.#source.deadlines.add(this, this.deadlineMs);
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
    this.#source.sendProgress({ ...params, progressToken: this.#progressToken });
  }

  expire(): void {
    this.abort('timeout');
  }

  abort(reason: 'cancelled' | 'timeout' | 'closed'): void {
    if (this.#ended || this.#aborted) return;
    this.#aborted = reason;
    if (this.#controller === undefined) return;
    this.#source.deadlines.delete(this);
    this.#controller.abort(new DOMException('The far end gave up.', 'AbortError'));
  }

  /** The answer was given: drops the timer. */
  end(): void {
    this.#ended = true;
    if (this.#controller !== undefined) this.#source.deadlines.delete(this);
  }
}
