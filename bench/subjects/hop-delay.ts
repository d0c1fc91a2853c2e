/** A way across with a known delay, by which the harness itself is tested: it keeps the processor busy for so long, and answers. */

import type { HopWay } from './hop-way.ts';

export async function openDelay(ms: number): Promise<HopWay> {
  return {
    async ask() {
      const until = performance.now() + ms;
      while (performance.now() < until);
    },
    close: async () => {},
  };
}
