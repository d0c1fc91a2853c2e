/**
 * The P2P thread's entry file: gets its port and the log level as worker data, and hosts the node until the port closes.
 * Started by `worker-mesh.ts` only.
 */

import { type MessagePort, workerData } from 'node:worker_threads';
import type { LogLevel } from '@logtape/logtape';
import { configureLogs } from '../../logs.ts';
import type { NodeOptions } from '../../mesh/node-options.ts';
import { createNode } from '../../p2p/node.ts';
import { messagePortChannel } from '../message-port-channel.ts';
import { serveOwnNode } from './own-node.ts';

const { port, logLevel } = workerData as { port: MessagePort; logLevel: LogLevel };
await configureLogs(logLevel);
serveOwnNode(messagePortChannel(port), (options) => createNode(options as NodeOptions));
