/**
 * The P2P service: one node in a process of its own, shared by the servers that connect to it. Started by `open-service.ts`
 * for `entrypoints/p2p.ts`; a supervised child of a server and a service of the operator are the same program.
 */

import type { Socket } from 'node:net';
import { checked } from '../../mesh/checked.ts';
import { MeshError } from '../../mesh/errors.ts';
import { defaultLimits, type Limits } from '../../mesh/limits.ts';
import type { Mesh } from '../../mesh/mesh.ts';
import type { NodeOptions } from '../../mesh/node-options.ts';
import type { RpcAddress } from '../../mesh/rpc-address.ts';
import { createNode } from '../../p2p/node.ts';
import type { Channel } from '../../rpc/channel.ts';
import type { Endpoint } from '../../rpc/endpoint.ts';
import { socketChannel } from '../socket-channel.ts';
import { listenHttp } from './listen-http.ts';
import { listenSocket } from './listen-socket.ts';
import type { RpcListener } from './rpc-listener.ts';
import { serveChannel } from './serve-channel.ts';
import { ownToken, tokenFileOf } from './token-file.ts';

export interface P2pServiceOptions {
  node: NodeOptions;
  /** Where to listen for servers; at least one. */
  rpc: readonly RpcAddress[];
  limits?: Limits;
}

export interface P2pService {
  /** Where it listens, with the ports that the system chose. */
  readonly rpc: readonly RpcAddress[];
  readonly tokenFile: string;
  /** The node, for the banner. */
  readonly mesh: Mesh;
  /** Accepts no more, stops the node, answers what is still in flight, closes. Takes no longer than the node. Idempotent. */
  stop(): Promise<void>;
}

/** Rejects as the node's `start` does, and with `address_in_use` and `invalid_config`; nothing is left open then. */
export async function startP2pService({
  node: options,
  rpc,
  limits = defaultLimits,
}: P2pServiceOptions): Promise<P2pService> {
  if (rpc.length === 0) throw new MeshError('invalid_config', 'The P2P service must listen somewhere: --rpc-listen.');
  const node = createNode(options);
  // Servers check what they send, but may be of another build, and whoever may open the socket may use it by hand.
  const mesh = checked(node, limits);
  const listeners: RpcListener[] = [];
  const endpoints = new Set<Endpoint>();
  let stopped: Promise<void> | undefined;

  const stop = async (): Promise<void> => {
    for (const listener of listeners) listener.stopAccepting();
    await node.stop();
    for (const endpoint of [...endpoints]) endpoint.close();
    await Promise.all(listeners.map((listener) => listener.close()));
  };

  try {
    // First of all: it takes the data folder, and says so when another node has it.
    await node.start();
    const secret = await ownToken(options.dataFolder);
    const serve = (channel: Channel, required: boolean): void => {
      const endpoint = serveChannel(channel, {
        node: () => mesh,
        token: { secret, required },
        limits,
        onClosed: () => endpoints.delete(endpoint),
      });
      endpoints.add(endpoint);
    };
    for (const address of rpc) {
      listeners.push(
        address.kind === 'unix'
          ? await listenSocket(address.path, {
              maxConnections: limits.maxBridges,
              // Whoever can open the socket may use it: the file system has asked for more than a token.
              serve: (socket: Socket) => serve(socketChannel(socket, { limits }), false),
            })
          : // Each request has brought the token before its session is served.
            await listenHttp(address, { token: secret, mesh, limits, serve: (channel) => serve(channel, false) }),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    rpc: listeners.map(({ address }) => address),
    tokenFile: tokenFileOf(options.dataFolder),
    mesh,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
