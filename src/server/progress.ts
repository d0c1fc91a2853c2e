/**
 * How far a task is, as `notifications/progress` on the stream that answers the call.
 *
 * A stream never holds more than one unread notification: while its reader is slow, the newest value per call replaces the one
 * before. So a worker that reports fast and a client that reads slowly cost no memory.
 */

import type { ProgressToken } from '@modelcontextprotocol/server';

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

/** Whether any message of a body asks for progress: only then is a flow needed. */
export function asksForProgress(body: unknown): boolean {
  const messages = Array.isArray(body) ? body : [body];
  return messages.some((message) => {
    const token = (message as { params?: { _meta?: { progressToken?: unknown } } } | null)?.params?._meta
      ?.progressToken;
    return token !== undefined;
  });
}
