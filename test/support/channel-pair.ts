/** Two ends of a channel in memory: messages cross as structured clones, in order, one microtask later. */

import type { Channel, ChannelEvents } from '../../src/rpc/channel.ts';

export interface PairedChannel extends Channel {
  bufferedBytes: number;
}

export function channelPair(): [PairedChannel, PairedChannel] {
  const events: (ChannelEvents | undefined)[] = [undefined, undefined];
  let closed = false;
  const side = (own: 0 | 1): PairedChannel => ({
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
