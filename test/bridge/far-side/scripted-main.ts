/** A P2P thread whose node is a scripted one. */

import { type MessagePort, workerData } from 'node:worker_threads';
import { serveOwnNode } from '../../../src/bridge/far-side/own-node.ts';
import { messagePortChannel } from '../../../src/bridge/message-port-channel.ts';
import { type ScriptedOptions, scriptedNode } from './scripted-node.ts';

const { port } = workerData as { port: MessagePort };
serveOwnNode(messagePortChannel(port), (options) => scriptedNode(options as ScriptedOptions));
