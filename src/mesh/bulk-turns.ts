/**
 * Turns of the event loop for bulk: one slice of it at a time, whatever connection it belongs to, and some turns without any
 * between two of them. Whoever else shares the loop needs several turns for one thing (a request is read, answered, written),
 * and would wait for a slice in each of them. Empty turns take microseconds, so that bulk alone goes as fast as before.
 *
 * One line for the whole loop, in order: it is the loop that is shared. Used by whatever reads, works on or writes bulk. Who
 * asks is told what its slice cost: itself, and what followed from it in the turns up to the next one (promises that were
 * waiting, commits, answers), which is most of it.
 */

import { setImmediate } from 'node:timers';
import { type Clock, systemClock } from '../mesh/clock.ts';

/** Turns between two slices. More than this made requests beside bulk little quicker, and fewer made them slower, most of all on Deno. */
const restTurns = 5;

/** Runs a slice in a turn of its own; `cost` hears how many milliseconds of the loop it took. */
export type InBulkTurn = (slice: () => void, cost?: (ms: number) => void) => void;

interface Slice {
  readonly run: () => void;
  readonly cost: ((ms: number) => void) | undefined;
}

/** A line of slices; there is one per event loop, and one per test. */
export function bulkTurns(
  nextTurn: (run: () => void) => void = setImmediate,
  clock: Pick<Clock, 'monotonicMs'> = systemClock,
): InBulkTurn {
  const waiting: Slice[] = [];
  let turning = false;
  let rest = 0;
  let latest: Slice | undefined;
  let beganMs = 0;
  const settle = (): void => {
    latest?.cost?.(clock.monotonicMs() - beganMs);
    latest = undefined;
  };
  const turn = (): void => {
    if (rest === 0) settle();
    const slice = rest > 0 ? undefined : waiting.shift();
    turning = rest > 0 || slice !== undefined;
    // Before the slice, so that the line goes on even if it throws.
    if (turning) nextTurn(turn);
    rest = slice === undefined ? Math.max(0, rest - 1) : restTurns;
    if (slice === undefined) return;
    latest = slice;
    if (slice.cost !== undefined) beganMs = clock.monotonicMs();
    slice.run();
  };
  return (run, cost) => {
    waiting.push({ run, cost });
    if (turning) return;
    turning = true;
    nextTurn(turn);
  };
}

/** The line of this thread's event loop. */
export const inBulkTurn = bulkTurns();
