/** The `inline` layout: the P2P node in the caller's own event loop. There is no bridge and nothing hops. */

import { type Clock, systemClock } from '../mesh/clock.ts';
import type { BridgeHealth } from '../mesh/health.ts';
import type { HostedMesh, RunningMesh } from '../mesh/mesh.ts';
import { addHealth } from './add-health.ts';

export function inlineMesh(node: RunningMesh, clock: Clock = systemClock): HostedMesh {
  let inFlight = 0;
  let state: BridgeHealth['state'] = 'stopped';
  let since = clock.nowMs();
  const turn = (next: BridgeHealth['state']): void => {
    state = next;
    since = clock.nowMs();
  };
  const mesh: HostedMesh = {
    async start() {
      turn('starting');
      try {
        await node.start();
        turn('up');
      } catch (error) {
        turn('stopped');
        throw error;
      }
    },
    async stop() {
      turn('stopped');
      await node.stop();
    },
    async call(name, input, options) {
      inFlight++;
      try {
        return addHealth(name, input, await node.call(name, input, options), mesh.health);
      } finally {
        inFlight--;
      }
    },
    subscribe: (listener) => node.subscribe(listener),
    health: () => ({
      layout: 'inline',
      state,
      restarts: 0,
      in_flight: inFlight,
      since: since / 1000,
      last_error: null,
    }),
    [Symbol.asyncDispose]: () => mesh.stop(),
  };
  return mesh;
}
