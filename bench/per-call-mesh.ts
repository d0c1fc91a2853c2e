/**
 * The layout `per-call`: a fresh P2P node for each call, as the naive bridge does it. Only benchmarks use it, as the baseline
 * that the other layouts are measured against.
 */

import { addHealth } from '../src/bridge/add-health.ts';
import type { BridgeHealth } from '../src/mesh/health.ts';
import type { HostedMesh } from '../src/mesh/mesh.ts';
import type { NodeOptions } from '../src/mesh/node-options.ts';
import { createNode } from '../src/p2p/node.ts';

/** Calls come one after the other: two nodes cannot hold one data folder. */
export function perCallMesh(options: Omit<NodeOptions, 'layout'>): HostedMesh {
  let last: Promise<unknown> = Promise.resolve();
  let inFlight = 0;
  const since = Date.now() / 1000;
  const health = (): BridgeHealth => ({
    layout: 'per-call',
    state: 'up',
    restarts: 0,
    in_flight: inFlight,
    since,
    last_error: null,
  });
  const mesh: HostedMesh = {
    start: async () => {},
    stop: async () => void (await last),
    call(name, input, callOptions) {
      const turn = last.then(async () => {
        const node = createNode({ ...options, layout: 'per-call' });
        inFlight++;
        try {
          await node.start();
          return addHealth(name, input, await node.call(name, input, callOptions), health);
        } finally {
          inFlight--;
          await node.stop();
        }
      });
      last = turn.catch(() => {});
      return turn;
    },
    subscribe: () => () => {},
    health,
    [Symbol.asyncDispose]: () => mesh.stop(),
  };
  return mesh;
}
