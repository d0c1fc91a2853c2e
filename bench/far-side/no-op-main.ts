/** The bridge's own far side in a thread, with a node behind it that does nothing. Started by `bench/subjects/hop-bridges.ts`. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { serveOwnNode } from '../../src/bridge/far-side/own-node.ts';
import { messagePortChannel } from '../../src/bridge/message-port-channel.ts';
import { noOpNode } from './no-op-node.ts';

const { port } = workerData as { port: MessagePort };
serveOwnNode(messagePortChannel(port), noOpNode);
