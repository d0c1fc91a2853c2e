/** What a worker's author writes: a function that does one task. */

import type { ClaimedTask } from '../mesh/task.ts';

export interface WorkContext {
  /** Aborted when the work is no longer wanted: the task was cancelled, the lease was lost, or the worker stops. */
  readonly signal: AbortSignal;
  /**
   * Tells those who wait how far the task is: any small JSON, up to 16 KiB. Cheap to call often; the last note wins.
   * Throws `payload_too_large` and `invalid_params`.
   */
  progress(note: unknown): void;
}

/**
 * Does the task and answers its result: any JSON up to 1 MiB. What it throws fails the attempt; throw a `TaskFailure` to
 * say whether another attempt can help. It may run more than once for the same task.
 */
export type TaskRunner = (task: ClaimedTask, context: WorkContext) => unknown;

/** A failure that says what should happen next. */
export class TaskFailure extends Error {
  /** False: no other attempt can help, the task becomes a dead letter. */
  readonly retry: boolean;
  /** Milliseconds before the next attempt; undefined: the task's own backoff. */
  readonly delayMs: number | undefined;

  constructor(message: string, options: { retry?: boolean; delayMs?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'TaskFailure';
    this.retry = options.retry ?? true;
    this.delayMs = options.delayMs;
  }
}
