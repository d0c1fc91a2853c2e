/**
 * How far a task is, as `notifications/progress` on the stream that answers the call.
 *
 * A stream never holds more than one unread notification: while its reader is slow, the newest value per call replaces the one
 * before. So a worker that reports fast and a client that reads slowly cost no memory.
 */

import type { ProgressNotificationParams, ProgressToken } from '@modelcontextprotocol/server';
import { progressMetaKey, type TaskProgress } from '../mesh/mesh.ts';

/** Characters of the worker's note in the line for people; the whole note is under `progressMetaKey`. */
const maxNoteChars = 200;

/** Amounts beyond this are not told apart from their neighbours, so that a growing number could not be made of them. */
const maxAmount = 1e12;

/** The step to the next number when the worker reported none that is higher. */
const leastStep = 0.001;

/** What one response stream may be sent now. The endpoint tells it when the reader wants more. */
export class ProgressFlow {
  /** The stream's reader has taken all that was written. True at first: the first notification opens the stream. */
  #wanted = true;
  readonly #waiting = new Map<ProgressToken, () => void>();

  /** Sends now, or when the reader wants more; replaces what waits for the same token. */
  offer(token: ProgressToken, send: () => void): void {
    if (this.#wanted) {
      this.#wanted = false;
      send();
    } else this.#waiting.set(token, send);
  }

  /** The call has ended: nothing of it may follow its result. */
  forget(token: ProgressToken): void {
    this.#waiting.delete(token);
  }

  /** The reader waits for the next chunk. */
  want(): void {
    const [first] = this.#waiting;
    this.#wanted = first === undefined;
    if (first === undefined) return;
    this.#waiting.delete(first[0]);
    first[1]();
  }

  /** A chunk is on its way to the reader. */
  fed(): void {
    this.#wanted = false;
  }
}

/** Makes the notifications of one call: `progress` only grows, as the protocol demands, whatever the worker reports. */
export function progressNotifier(token: ProgressToken): (progress: TaskProgress) => ProgressNotificationParams {
  let last = 0;
  return (progress) => {
    const { done, total } = amountOf(progress.progress);
    last = done !== undefined && done > last && done < maxAmount ? done : last + leastStep;
    return {
      progressToken: token,
      progress: last,
      ...(total === undefined || total < last ? {} : { total }),
      message: describe(progress),
      _meta: { [progressMetaKey]: progress },
    };
  };
}

/** Whether any message of a body asks for progress: only then is a flow needed. */
export function asksForProgress(body: unknown): boolean {
  const messages = Array.isArray(body) ? body : [body];
  return messages.some((message) => {
    const token = (message as { params?: { _meta?: { progressToken?: unknown } } } | null)?.params?._meta
      ?.progressToken;
    return token !== undefined;
  });
}

/** The amounts in what a worker reported: a number, or `{done, of}`. */
function amountOf(note: unknown): { done?: number; total?: number } {
  if (typeof note === 'number') return { done: note };
  if (typeof note !== 'object' || note === null) return {};
  const { done, of } = note as { done?: unknown; of?: unknown };
  return { ...(typeof done === 'number' ? { done } : {}), ...(typeof of === 'number' ? { total: of } : {}) };
}

function describe({ status, attempt, progress }: TaskProgress): string {
  const head = attempt > 1 ? `${status}, attempt ${attempt}` : status;
  if (progress === null || progress === undefined) return head;
  const note = typeof progress === 'string' ? progress : JSON.stringify(progress);
  return `${head}: ${note.length > maxNoteChars ? `${note.slice(0, maxNoteChars)}…` : note}`;
}
