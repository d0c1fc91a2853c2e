/** Runs something that takes a signal, and gives up on it in time. */

import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';

export interface DeadlineOptions<Result> {
  clock: Clock;
  deadlineMs: number;
  /** The caller's own way to give up. */
  signal?: AbortSignal | undefined;
  /** Gets a result that came although it had been given up, to undo what it stands for. */
  dropped?(result: Result): void;
}

/**
 * Settles as `run` does, but no later than the deadline (with `late()`) or the caller's signal (with `cancelled`). The signal
 * that `run` gets fires then; what it still answers is dropped.
 */
export function withDeadline<Result>(
  { clock, deadlineMs, signal, dropped }: DeadlineOptions<Result>,
  run: (signal: AbortSignal) => Promise<Result>,
  late: () => MeshError,
): Promise<Result> {
  if (signal?.aborted) return Promise.reject(cancelled());
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    let givenUp = false;
    const giveUp = (error: MeshError): void => {
      givenUp = true;
      end();
      reject(error);
      controller.abort(error);
    };
    const onAbort = (): void => giveUp(cancelled());
    const cancelTimer = clock.setTimer(deadlineMs, () => giveUp(late()));
    const end = (): void => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    run(controller.signal)
      .finally(end)
      .then((result) => (givenUp ? dropped?.(result) : resolve(result)), reject);
  });
}

function cancelled(): MeshError {
  return new MeshError('cancelled', 'The call was cancelled by its caller.');
}
