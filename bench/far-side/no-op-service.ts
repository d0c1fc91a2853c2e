/**
 * The P2P service's own listeners with a node behind them that does nothing, in a process of its own. Takes the address as its
 * argument, prints where it listens, and ends with its stdin. Started by `bench/subjects/hop-bridges.ts`.
 */

import type { Socket } from 'node:net';
import process from 'node:process';
import { listenHttp } from '../../src/bridge/far-side/listen-http.ts';
import { listenSocket } from '../../src/bridge/far-side/listen-socket.ts';
import { serveChannel } from '../../src/bridge/far-side/serve-channel.ts';
import { socketChannel } from '../../src/bridge/socket-channel.ts';
import { checked } from '../../src/mesh/checked.ts';
import { defaultLimits as limits } from '../../src/mesh/limits.ts';
import { formatRpcAddress, parseRpcAddress } from '../../src/mesh/rpc-address.ts';
import type { Channel } from '../../src/rpc/channel.ts';
import { noOpNode } from './no-op-node.ts';
import { serveUntilStdinEnds } from './process-life.ts';

const [address = '', token = ''] = process.argv.slice(2);
const asked = parseRpcAddress(address);
if (asked === undefined) throw new Error(`${address} is no address.`);
const node = noOpNode();
const serve = (channel: Channel): void => {
  serveChannel(channel, { node: () => node, token: { secret: token, required: false }, limits });
};
const listener =
  asked.kind === 'unix'
    ? await listenSocket(asked.path, {
        maxConnections: limits.maxBridges,
        serve: (socket: Socket) => serve(socketChannel(socket, { limits })),
      })
    : await listenHttp(asked, { token, mesh: checked(node, limits), limits, serve });
await serveUntilStdinEnds(formatRpcAddress(listener.address));
