/**
 * A far side whose node lives as long as its channel: the near side starts and stops it. For the worker thread, and for the
 * tests and benchmarks that put another node behind the bridge.
 */

import { MeshError } from '../../mesh/errors.ts';
import type { RunningMesh } from '../../mesh/mesh.ts';
import type { Channel } from '../../rpc/channel.ts';
import type { Endpoint } from '../../rpc/endpoint.ts';
import { verbs } from '../protocol.ts';
import { serveChannel } from './serve-channel.ts';

/** `build` makes the node from the options that `start` brings. */
export function serveOwnNode(channel: Channel, build: (options: unknown) => RunningMesh): Endpoint {
  let node: RunningMesh | undefined;
  return serveChannel(channel, {
    node: () => node,
    control: {
      async [verbs.start]({ options }) {
        if (node !== undefined) throw new MeshError('wrong_state', 'The node was started before.');
        node = build(options);
        await node.start();
        return {};
      },
      async [verbs.stop]() {
        await node?.stop();
        return {};
      },
    },
    onClosed: () => void node?.stop(),
  });
}
