/** A thread like the P2P thread, with a mesh of `tool-call-mesh.ts` in the node's place. Started by `tool-call-rungs.ts`. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { serveOwnNode } from '../../src/bridge/far-side/own-node.ts';
import { messagePortChannel } from '../../src/bridge/message-port-channel.ts';
import { type MeshSpec, meshOf } from './tool-call-mesh.ts';

const { port } = workerData as { port: MessagePort };
serveOwnNode(messagePortChannel(port), (spec) => meshOf(spec as MeshSpec));
