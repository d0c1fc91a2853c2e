/** The bridge's own far side with a node behind it that does nothing: what is measured is the bridge. Started by `hop-measure.ts`. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { serveOwnNode } from '../../src/bridge/far-side/own-node.ts';
import { messagePortChannel } from '../../src/bridge/message-port-channel.ts';
import type { RunningMesh } from '../../src/mesh/mesh.ts';

const noOp: RunningMesh = {
  start: async () => {},
  stop: async () => {},
  call: async () => ({ key: '', hit: false }) as never,
  subscribe: () => () => {},
  [Symbol.asyncDispose]: async () => {},
};

const { port } = workerData as { port: MessagePort };
serveOwnNode(messagePortChannel(port), () => noOp);
