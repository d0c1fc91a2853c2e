/**
 * Queues that are asked for one claim: the first task wins, the others are told to stop, and what one of them hands out all the
 * same is given back at once. Used by the claim rule.
 */

import { MeshError } from '../mesh/errors.ts';
import type { ClaimedTask } from '../mesh/task.ts';

/** A queue that can be claimed from. Gives tasks back by itself when its claim was given up. */
export interface ClaimSource {
  readonly peerId: string;
  /** Answers null when there was nothing within the time. */
  claim(options: { waitMs: number; deadlineMs: number; signal: AbortSignal }): Promise<ClaimedTask | null>;
  /** Gives a task back that nobody wants. Never rejects. */
  giveBack(task: ClaimedTask): void;
}

export class ClaimRace {
  /** The task that won, or null. Rejects with `cancelled`, or with what the race failed with. */
  readonly result: Promise<ClaimedTask | null>;
  /** Fires when the race is over. */
  readonly over: AbortSignal;
  readonly #losers = new AbortController();
  readonly #settle: PromiseWithResolvers<ClaimedTask | null>;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    this.over = this.#losers.signal;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  /** Resolves when the queue has answered, whatever it was. Rejects with what the queue rejects with. */
  async ask(source: ClaimSource, { waitMs, deadlineMs }: { waitMs: number; deadlineMs: number }): Promise<void> {
    const task = await source.claim({ waitMs, deadlineMs, signal: this.over });
    if (task === null) return;
    if (this.over.aborted) source.giveBack(task);
    else this.end(task);
  }

  /** The first end counts. */
  end(task: ClaimedTask | null): void {
    this.#settle.resolve(task);
    this.#stop();
  }

  fail(error: MeshError): void {
    this.#settle.reject(error);
    this.#stop();
  }

  #stop(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#losers.abort();
  }

  readonly #onAbort = (): void =>
    this.fail(new MeshError('cancelled', 'The claim was cancelled by its caller; no task was taken.'));
}
