/**
 * The P2P thread's entry file: gets its port and the log level as worker data, and hosts the node until the port closes.
 * Started by `worker-mesh.ts` only.
 */

import { type MessagePort, workerData } from 'node:worker_threads';
import { configureLogs } from '../../logs.ts';
import { createNode } from '../../p2p/node.ts';
import type { NodeOptions } from '../../p2p/options.ts';
import { messagePortChannel } from '../message-port-channel.ts';
import { serveNode } from './host.ts';

const { port, logLevel } = workerData as { port: MessagePort; logLevel: string };
await configureLogs(logLevel);
serveNode(messagePortChannel(port), (options) => createNode(options as NodeOptions));
