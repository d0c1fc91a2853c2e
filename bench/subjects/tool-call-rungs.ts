/**
 * The ladder of the suite `tool-call`, on the runtime that the cell names: servers that answer the same request with the same bytes,
 * each with one part more than the one before. The difference between two rungs is what that part costs. Where there
 * is time, those with a node of the product in them have a process each, as the service has: beside other servers a node is slower.
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';
import { inlineMesh } from '../../src/bridge/inline-mesh.ts';
import { openMesh } from '../../src/bridge/open-mesh.ts';
import { serviceWay } from '../../src/bridge/service-way.ts';
import { SupervisedMesh } from '../../src/bridge/supervised-mesh.ts';
import { workerWay } from '../../src/bridge/worker-way.ts';
import { runtime } from '../../src/mesh/build.ts';
import { checked } from '../../src/mesh/checked.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { HostedMesh, Mesh } from '../../src/mesh/mesh.ts';
import type { Layout } from '../../src/mesh/node-options.ts';
import { type App, createApp } from '../../src/server/app.ts';
import { BodyBudget, readJsonBody } from '../../src/server/body.ts';
import { hostGuard, originGuard } from '../../src/server/guards.ts';
import { listen } from '../../src/server/listen.ts';
import { askForTool, McpClient } from './mcp-client.ts';
import { type OwnChild, serveParent, startChild } from './own-child.ts';
import { cannedOutput, type MeshSpec, meshOf } from './tool-call-mesh.ts';
import type { ToolCallPeer } from './tool-call-peer.ts';
import type { ToolCallProcessParams } from './tool-call-process.ts';
import type { Rung, Storey } from './tool-call-rung.ts';

export interface ToolCallRungsParams {
  layout: Layout;
  folder: string;
  memoryFolder: string | undefined;
  peer: ToolCallPeer;
  /** Which parts of the ladder this process is. */
  storeys: readonly Storey[];
}

export type RungUrls = Partial<Record<Rung, string>>;

const host = '127.0.0.1';
const logLevel = 'error';
const down = (cause: Error): void => {
  throw cause;
};
const closers: (() => Promise<unknown>)[] = [];

async function served(app: App): Promise<string> {
  const listener = await listen(app, { host, port: 0 });
  closers.unshift(() => listener.close());
  return listener.url;
}

const serve = (mesh: Mesh): Promise<string> =>
  served(createApp(mesh, { version: '0', ready: () => ({ ready: true }) }));

/** Nothing but the server of the runtime. */
async function serveBare(answer: string): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    incoming.on('data', () => {});
    incoming.on('end', () => {
      outgoing.setHeader('Content-Type', 'application/json');
      outgoing.end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.unshift(async () => server.closeAllConnections());
  return `http://${host}:${(server.address() as AddressInfo).port}/mcp`;
}

/** The product's server, guards and reading of the body, and no MCP. */
function serveHono(answer: string): Promise<string> {
  const hono = new Hono();
  const budget = new BodyBudget(defaultLimits.maxBufferedBytes);
  hono.use(hostGuard([]), originGuard([]));
  hono.all('/mcp', async (context) => {
    const body = await readJsonBody(context.req.raw, defaultLimits, budget);
    return 'refusal' in body ? body.refusal : new Response(answer, { headers: { 'Content-Type': 'application/json' } });
  });
  const nothing = (): void => {};
  return served({
    hono,
    limits: defaultLimits,
    sessions: 0,
    countConnections: nothing,
    drain: nothing,
    close: async () => {},
  });
}

/** Opens meshes of specs behind the layout's way across; the second function opens the product's own node there. */
function layoutOf({ layout, folder }: ToolCallRungsParams) {
  let far: OwnChild<null> | undefined;
  const sockets = (name: string): string => join(folder, 'rpc', name);
  const started = async (mesh: HostedMesh): Promise<Mesh> => {
    await mesh.start();
    closers.push(() => mesh.stop());
    return checked(mesh);
  };
  return {
    /** Where there is another process, it is made ready for all specs at once. */
    async prepare(specs: ReadonlyMap<string, MeshSpec>): Promise<void> {
      if (layout !== 'process') return;
      const params: ToolCallProcessParams = {
        meshes: [...specs].map(([name, spec]) => ({ path: sockets(name), spec })),
      };
      far = await startChild(runtime.name, new URL('./tool-call-process.ts', import.meta.url), params);
      closers.push(() => far?.end() ?? Promise.resolve());
    },
    open(name: string, spec: MeshSpec): Promise<Mesh> {
      if (layout === 'inline') return started(inlineMesh(meshOf(spec)));
      const way =
        layout === 'worker'
          ? workerWay({ node: spec, logLevel, main: new URL('./tool-call-thread.ts', import.meta.url) })
          : serviceWay({ address: { kind: 'unix', path: sockets(name) } });
      return started(new SupervisedMesh(way, { onDown: down }));
    },
    async node(dataFolder: string): Promise<Mesh> {
      const main = fileURLToPath(new URL('../../entrypoints/p2p.ts', import.meta.url));
      const flags = runtime.name === 'deno' ? ['run', '-A', '--quiet'] : [];
      const mesh = await openMesh({
        layout,
        node: { dataFolder, listen: [], bootstrap: [], mdns: false },
        logLevel,
        process: {
          child: {
            command: [process.execPath, ...flags, main, '--supervised'],
            rpc: [`unix:${join(dataFolder, 'rpc', 'node')}`],
          },
        },
        onDown: down,
      });
      return started(mesh);
    },
  };
}

async function nodeless(params: ToolCallRungsParams): Promise<RungUrls> {
  const { peer } = params;
  const layout = layoutOf(params);
  const nothing: MeshSpec = { kind: 'no_op' };
  const plain: MeshSpec = { kind: 'wire', encryption: 'none', peer: peer.none };
  const wire: MeshSpec = { kind: 'wire', encryption: 'noise', peer: peer.noise };
  await layout.prepare(new Map(Object.entries({ hop: nothing, wire_plain: plain, wire })));
  const unchecked: Mesh = { call: async () => cannedOutput as never, subscribe: () => () => {} };
  const mcp = await serve(unchecked);
  const client = new McpClient();
  const answer = await client.send(mcp, askForTool('p2p_taskqueue_submit', { payload: {} }));
  client.close();
  const opening = async (name: Rung, spec: MeshSpec): Promise<string> => serve(await layout.open(name, spec));
  const [hop, wire_plain, wired] = await Promise.all([
    opening('hop', nothing),
    opening('wire_plain', plain),
    opening('wire', wire),
  ]);
  return {
    http: await serveBare(answer),
    hono: await serveHono(answer),
    mcp,
    checked: await serve(checked(meshOf(nothing))),
    hop,
    wire_plain,
    wire: wired,
  };
}

/** The product's node with its data in the folder, connected to the peer. */
async function nodeIn(folder: string, peer: string, params: ToolCallRungsParams): Promise<string> {
  const node = await layoutOf(params).node(join(folder, 'rungs'));
  await node.call('connect', { remote_multiaddr: peer });
  return serve(node);
}

async function openStorey(storey: Storey, params: ToolCallRungsParams): Promise<RungUrls> {
  const { folder, memoryFolder, peer } = params;
  if (storey === 'nodeless') return nodeless(params);
  if (storey === 'disk') return { disk: await nodeIn(folder, peer.disk, params) };
  if (memoryFolder === undefined || peer.memory === undefined) return {};
  return { memory: await nodeIn(memoryFolder, peer.memory, params) };
}

await serveParent<ToolCallRungsParams>(async (params) => {
  const urls = await Promise.all(params.storeys.map((storey) => openStorey(storey, params)));
  return {
    ready: Object.assign({}, ...urls),
    async close() {
      for (const close of closers) await close();
    },
  };
});
