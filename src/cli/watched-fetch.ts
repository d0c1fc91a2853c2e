/**
 * A `fetch` for MCP that never leaves a call waiting on a stream that died. Used by the mesh over HTTP.
 *
 * The SDK notices that such a stream ended or broke and tells nobody, so that its call would wait until its deadline. Here the
 * stream then says the last word itself: an error in place of the answer. One that follows a real answer is ignored.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';

/** JSON-RPC codes of our own, from the range for implementations: what befell the stream. */
export const streamLost = { broke: -32_090, silent: -32_091 } as const;

interface WatchedFetchOptions {
  readonly clock: Clock;
  /** A stream in which nothing came for this long is given up, in milliseconds; the server sends a comment every 15 s. */
  readonly silentMs: number;
}

export function watchedFetch({ clock, silentMs }: WatchedFetchOptions): typeof fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const id = requestIdIn(init?.body);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (response.body === null || id === undefined || !isStream) return response;
    const body = watched(response.body, (code) => lastWord(id, code), clock, silentMs);
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

function watched(
  source: ReadableStream<Uint8Array>,
  wordOf: (code: number) => Uint8Array,
  clock: Clock,
  silentMs: number,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  /** Undefined: the stream ended or broke. */
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      return (await reader.read()).value;
    } catch {
      return undefined;
    }
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const silent = silence(clock, silentMs);
      const chunk = await Promise.race([next(), silent.over]);
      silent.cancel();
      if (chunk instanceof Uint8Array) return controller.enqueue(chunk);
      controller.enqueue(wordOf(chunk === 'silent' ? streamLost.silent : streamLost.broke));
      controller.close();
      await reader.cancel().catch(() => {});
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function silence(clock: Clock, silentMs: number): { over: Promise<'silent'>; cancel: CancelTimer } {
  const { promise: over, resolve } = Promise.withResolvers<'silent'>();
  return { over, cancel: clock.setTimer(silentMs, () => resolve('silent')) };
}

/** Undefined: nobody waits for an answer to the message. */
function requestIdIn(body: unknown): string | number | undefined {
  if (typeof body !== 'string') return undefined;
  const { id } = JSON.parse(body) as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}

/** An event of the stream; the blank lines before it end one that was cut off. */
function lastWord(id: string | number, code: number): Uint8Array {
  const error = { jsonrpc: '2.0', id, error: { code, message: 'The stream ended without an answer.' } };
  return new TextEncoder().encode(`\n\nevent: message\ndata: ${JSON.stringify(error)}\n\n`);
}
