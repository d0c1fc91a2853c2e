/**
 * A way across for two sides in one loop: messages cross as structured clones, in order, one microtask later. The third way
 * beside sockets and HTTP that the same handler stands behind; for co-located use and for tests.
 */

import type { Channel, ChannelEvents } from '../rpc/channel.ts';

export interface MemoryChannel extends Channel {
  /** A test may pretend that its reader is slow. */
  bufferedBytes: number;
}

/** Both ends. Closing one closes the other. */
export function memoryChannels(): [MemoryChannel, MemoryChannel] {
  const events: (ChannelEvents | undefined)[] = [undefined, undefined];
  let closed = false;
  const side = (own: 0 | 1): MemoryChannel => ({
    bufferedBytes: 0,
    open(handlers) {
      events[own] = handlers;
    },
    post(message) {
      const copy = structuredClone(message);
      queueMicrotask(() => {
        if (!closed) events[1 - own]?.message(copy);
      });
    },
    close() {
      if (closed) return;
      closed = true;
      for (const end of events) end?.closed();
    },
  });
  return [side(0), side(1)];
}
