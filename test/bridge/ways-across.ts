/** The ways across, each with the same handler behind it and a scripted node behind that, all in one process. */

import { connectToService } from '../../src/bridge/connect.ts';
import { listenHttp } from '../../src/bridge/far-side/listen-http.ts';
import { listenSocket } from '../../src/bridge/far-side/listen-socket.ts';
import type { RpcListener } from '../../src/bridge/far-side/rpc-listener.ts';
import { serveChannel } from '../../src/bridge/far-side/serve-channel.ts';
import { memoryChannels } from '../../src/bridge/memory-channel.ts';
import { type NearSide, nearSide } from '../../src/bridge/near-side.ts';
import type { ProtocolRange } from '../../src/bridge/protocol.ts';
import { socketChannel } from '../../src/bridge/socket-channel.ts';
import { checked } from '../../src/mesh/checked.ts';
import { defaultLimits, type Limits } from '../../src/mesh/limits.ts';
import type { CallOptions, MeshEvent } from '../../src/mesh/mesh.ts';
import type { Channel } from '../../src/rpc/channel.ts';
import type { Endpoint } from '../../src/rpc/endpoint.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { scriptedNode } from './far-side/scripted-node.ts';

export const token = 'a-token-of-at-least-32-characters-in-all';

export interface WayOptions {
  limits?: Partial<Limits>;
  /** What the far side says it speaks. */
  speaks?: ProtocolRange;
}

export interface Bridge extends AsyncDisposable {
  near: NearSide;
  /** The far side's ends, one for each near side that connected. */
  far: Endpoint[];
  events: MeshEvent[];
  /** Asks the scripted node, by an operation of no special standing. */
  ask(key: string, value?: unknown, options?: CallOptions): Promise<{ value: unknown }>;
  /** Resolves when the near side's channel has ended. */
  closed: Promise<void>;
}

export const ways = ['memory', 'socket', 'http'] as const;

/** Builds a bridge; the hello is the test's to say. */
export async function openBridge(way: (typeof ways)[number], { limits, speaks }: WayOptions = {}): Promise<Bridge> {
  const all: Limits = { ...defaultLimits, ...limits };
  const node = scriptedNode();
  const far: Endpoint[] = [];
  const events: MeshEvent[] = [];
  const closed = Promise.withResolvers<void>();
  const cleanups: (() => Promise<unknown>)[] = [];
  const serve = (channel: Channel): void => {
    far.push(serveChannel(channel, { node: () => node, limits: all, ...(speaks ? { speaks } : {}) }));
  };

  const connectTo = async (listener: RpcListener): Promise<Channel> => {
    cleanups.push(async () => {
      listener.stopAccepting();
      for (const endpoint of far) endpoint.close();
      await listener.close();
    });
    const { signal } = new AbortController();
    return await connectToService(listener.address, { token, signal, limits: all });
  };

  const open = async (): Promise<Channel> => {
    if (way === 'memory') {
      // Nothing else keeps the process alive while a deadline is waited for.
      const alive = setInterval(() => {}, 60_000);
      cleanups.push(async () => clearInterval(alive));
      const [nearEnd, farEnd] = memoryChannels();
      serve(farEnd);
      return nearEnd;
    }
    if (way === 'http') {
      return connectTo(
        await listenHttp(
          { kind: 'http', host: '127.0.0.1', port: 0 },
          { token, mesh: checked(node, all), limits: all, serve },
        ),
      );
    }
    const folder = await tempFolder();
    const channel = await connectTo(
      await listenSocket(folder.file('p2p.sock'), {
        maxConnections: 4,
        serve: (socket) => serve(socketChannel(socket, { limits: all })),
      }),
    );
    cleanups.push(() => folder.remove());
    return channel;
  };

  const near = nearSide(await open(), {
    onEvent: (event) => events.push(event),
    onClosed: () => closed.resolve(),
    limits: all,
  });
  return {
    near,
    far,
    events,
    closed: closed.promise,
    ask: (key, value, options) => near.call('cache_set', { key, value } as never, options) as never,
    async [Symbol.asyncDispose]() {
      near.close();
      for (const cleanup of cleanups) await cleanup();
    },
  };
}
