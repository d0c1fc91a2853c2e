/** How long a task waits between two attempts. Called by `transition.ts`. */

/** Doubling ends here: an hour. A task that asked for a longer first wait keeps that one. */
const longestDoubledMs = 3_600_000;

/** Each wait is shortened by up to this share, so that tasks that failed together do not come back together. */
const jitter = 0.2;

/**
 * Milliseconds from the end of attempt number `attempt` (1 is the first) to the next one.
 * `random` answers numbers from 0 up to 1.
 */
export function backoffDelayMs(backoffMs: number, attempt: number, random: () => number): number {
  const doubledMs = backoffMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 40);
  const cappedMs = Math.min(doubledMs, Math.max(longestDoubledMs, backoffMs));
  return cappedMs * (1 - jitter * random());
}
