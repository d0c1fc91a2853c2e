/**
 * Watches a response's stream on its way out: when its reader wants more, and when it ends. Used by the endpoint for progress
 * and by the sessions to know what is in flight.
 */

interface BodyWatcher {
  /** The reader has taken everything and waits. */
  onWant?(): void;
  /** A chunk goes out. */
  onChunk?(): void;
  /** The stream ended, broke, or its reader went away. Called once. */
  onEnd?(): void;
}

/** The same response; one without a body has ended at once. */
export function watchBody(response: Response, watcher: BodyWatcher): Response {
  if (response.body === null) {
    watcher.onEnd?.();
    return response;
  }
  const reader = response.body.getReader();
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    watcher.onEnd?.();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = reader.read();
          watcher.onWant?.();
          const { done, value } = await next;
          if (done) {
            end();
            controller.close();
          } else {
            watcher.onChunk?.();
            controller.enqueue(value);
          }
        } catch (thrown) {
          end();
          controller.error(thrown);
        }
      },
      cancel(reason) {
        end();
        return reader.cancel(reason);
      },
    },
    // Without a queue of its own, so that `pull` means that the reader itself waits.
    { highWaterMark: 0 },
  );
  return new Response(body, { status: response.status, headers: response.headers });
}
