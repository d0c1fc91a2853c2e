/**
 * Makes the ids of a node's own tasks. Called by the engine and the SQLite store.
 *
 * An id is 32 hex digits: 14 of a number that only grows (milliseconds and a counter, so ids sort by age; it is also the key
 * of the row), then 18 random ones. Like a UUIDv7, without its version digits: the number must fit a JavaScript integer.
 */

const sequenceDigits = 14;
/** Ids per millisecond before the number runs ahead of the clock, which does no harm. */
const idsPerMs = 2048;

export interface TaskIds {
  next(): string;
}

/** `lastSequence`: the greatest number in use, so that a clock that was set back does not break the order. */
export function taskIds(nowMs: () => number, random: () => number, lastSequence: number): TaskIds {
  let last = lastSequence;
  return {
    next() {
      last = Math.max(last + 1, Math.floor(nowMs()) * idsPerMs);
      let tail = '';
      for (let part = 0; part < 3; part++) tail += hex(Math.floor(random() * 0x1000000), 6);
      return hex(last, sequenceDigits) + tail;
    },
  };
}

/** The number at the head of an id. */
export function sequenceOf(id: string): number {
  return Number.parseInt(id.slice(0, sequenceDigits), 16);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
