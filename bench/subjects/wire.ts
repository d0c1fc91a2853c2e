/** Subject of the suite `wire`: the near end of all ways, and the process of their far ends. */

import { closedLoop } from '../loops.ts';
import { serveCells } from '../serve-cells.ts';
import type { RuntimeName } from '../suite.ts';
import { startChild } from './own-child.ts';
import { openWay, type WireAddresses } from './wire-ends.ts';
import { type WireWay, wireWays } from './wire-ways.ts';

export interface WireParams {
  /** Where the far ends run. */
  server: RuntimeName;
}

export interface WireTask {
  way: WireWay;
  bytes: number;
  inFlight: number;
}

await serveCells<WireParams, WireTask>(async ({ server }) => {
  const far = await startChild<WireAddresses>(server, new URL('./wire-server.ts', import.meta.url), null, 'driver');
  const ways = new Map(await Promise.all(wireWays.map(async (way) => [way, await openWay(way, far.ready)] as const)));
  return {
    async measure({ way, bytes, inFlight }, { ms }) {
      const send = ways.get(way)?.sender(bytes);
      if (send === undefined) throw new Error(`There is no way "${way}".`);
      const { latency, rate } = await closedLoop(send, { inFlight, ms });
      if (bytes >= 1024) return { figures: { megabytes: (rate * bytes) / 1e6 } };
      return { figures: inFlight === 1 ? { latency } : { rate } };
    },
    async close() {
      await Promise.all([...ways.values()].map((way) => way.close()));
      await far.end();
    },
  };
});
