/** How long to wait after the n-th failure in a row, and the wait itself. */

import type { Clock } from '../mesh/clock.ts';

const firstMs = 500;
const longestMs = 30_000;

/** Doubles with each failure up to 30 s; the jitter keeps many workers from coming back at the same moment. */
export function backoffMs(failures: number, random: () => number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 16)) * (0.5 + random() / 2);
}

/** Resolves after `delayMs`, or at once when the signal is aborted. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      cancelTimer();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancelTimer = clock.setTimer(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
