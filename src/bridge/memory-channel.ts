/**
 * A way across for two sides in one loop: messages cross as structured clones, in order, one microtask later. The third way
 * beside sockets and HTTP that the same handler stands behind; for co-located use and for tests.
 */

import type { Channel, ChannelEvents } from '../rpc/channel.ts';

export interface MemoryChannel extends Channel {
  /** A test may pretend that its reader is slow. */
  bufferedBytes: number;
}

/** Both ends. Closing one closes the other, which gets what was posted before. */
export function memoryChannels(): [MemoryChannel, MemoryChannel] {
  const events: (ChannelEvents | undefined)[] = [undefined, undefined];
  const closed = [false, false];
  const end = (side: 0 | 1): void => {
    if (closed[side]) return;
    closed[side] = true;
    events[side]?.closed();
  };
  const make = (own: 0 | 1, other: 0 | 1): MemoryChannel => ({
    bufferedBytes: 0,
    open(handlers) {
      events[own] = handlers;
    },
    post(message) {
      if (closed[own]) return;
      const copy = structuredClone(message);
      queueMicrotask(() => {
        if (!closed[other]) events[other]?.message(copy);
      });
    },
    close() {
      end(own);
      queueMicrotask(() => end(other));
    },
  });
  return [make(0, 1), make(1, 0)];
}
