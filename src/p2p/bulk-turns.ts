/**
 * Turns of the event loop for bulk: one slice of it at a time, whatever connection it belongs to, and some turns without any
 * between two of them. Whoever else shares the loop needs several turns for one thing (a request is read, answered, written),
 * and would wait for a slice in each of them. Empty turns take microseconds, so that bulk alone goes as fast as before.
 *
 * One line for the whole loop, in order: it is the loop that is shared. Used by whatever reads, works on or writes bulk.
 */

import { setImmediate } from 'node:timers';

/** Turns between two slices. More than this made requests beside bulk little quicker, and fewer made them slower, most of all on Deno. */
const restTurns = 5;

/** A line of slices; there is one per event loop, and one per test. */
export function bulkTurns(nextTurn: (run: () => void) => void = setImmediate): (slice: () => void) => void {
  const waiting: (() => void)[] = [];
  let turning = false;
  let rest = 0;
  const turn = (): void => {
    const slice = rest > 0 ? undefined : waiting.shift();
    turning = rest > 0 || slice !== undefined;
    // Before the slice, so that the line goes on even if it throws.
    if (turning) nextTurn(turn);
    rest = slice === undefined ? Math.max(0, rest - 1) : restTurns;
    slice?.();
  };
  return (slice) => {
    waiting.push(slice);
    if (turning) return;
    turning = true;
    nextTurn(turn);
  };
}

/** Runs a slice in a turn of its own. */
export const inBulkTurn = bulkTurns();
