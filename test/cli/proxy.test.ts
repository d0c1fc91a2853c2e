/** `taskmesh proxy` as MCP clients meet it: a program on standard input and output, and a loopback URL. */

import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { defaultGrant } from '../../src/mesh/grant.ts';
import { createApp } from '../../src/server/app.ts';
import { type Listener, listen } from '../../src/server/listen.ts';
import { connect, startNode, type TestNode, until } from '../p2p/support.ts';
import { suite } from '../tooling/suite.ts';
import { byHttp, byStdio, clientKinds, type ProxyClient, startProxy } from './proxy-clients.ts';
import { shell } from './shell.ts';

const test = suite('taskmesh proxy');

const toolsModule = fileURLToPath(new URL('../p2p/mcp/tools-module.ts', import.meta.url));

interface Pair extends AsyncDisposable {
  /** The other machine. */
  readonly there: TestNode;
  /** This machine, with its MCP server. */
  readonly here: TestNode;
  readonly listener: Listener;
  /** Arguments of the proxy. */
  readonly args: readonly string[];
}

async function pair(): Promise<Pair> {
  const there = await startNode({ toolsModule, defaultGrant: { ...defaultGrant, tools: ['*'] } });
  const here = await startNode();
  await connect(here, there);
  const app = createApp(here.mesh, { version: '0.0.0-test', ready: () => true });
  const listener = await listen(app, { host: '127.0.0.1', port: 0 });
  return {
    ...{ there, here, listener },
    args: [there.peerId, '--url', listener.url, '--data', here.folder],
    async [Symbol.asyncDispose]() {
      await listener.close();
      await here[Symbol.asyncDispose]();
      await there[Symbol.asyncDispose]();
    },
  };
}

async function usesThePeer(client: ProxyClient, { there }: Pair): Promise<void> {
  assert.ok(client.title?.includes(there.peerId) ?? true, 'where the client shows a title, it names the peer');
  const names = (await client.tools()).map(({ name }) => name);
  assert.ok(names.includes('p2p_taskqueue_submit') && names.includes('word_count'));
  assert.equal((await client.call('word_count', { text: 'a b c' })).structuredContent, { words: 3 });
  const status = await client.call('p2p_taskqueue_status');
  assert.is(status.structuredContent?.peer_id, there.peerId);
  const exploded = await client.call('explode');
  assert.ok(exploded.isError);
  assert.match(exploded.content[0]?.text ?? '', /it exploded/);
  await client.call('no_such_tool').then(
    () => assert.unreachable(),
    (error) => assert.match(String(error), /no_such_tool/),
  );
  const giveUp = new AbortController();
  const step = Promise.withResolvers<object>();
  const extras = { signal: giveUp.signal, onprogress: (heard: object) => step.resolve(heard) };
  const hanging = client.call('until_given_up', {}, extras).catch(() => 'given up');
  const heard = (await step.promise) as { progress: number; total?: number; message?: string };
  assert.equal([heard.progress, heard.total, heard.message], [1, 3, 'one of three']);
  giveUp.abort();
  assert.is(await hanging, 'given up');
  const { tools } = (await there.mesh.call('status', {})).capabilities;
  assert.ok(tools.length > 0);
}

for (const kind of clientKinds) {
  test(`a client (${kind}) starts it as a program`, async () => {
    await using machines = await pair();
    await using client = await byStdio(kind, machines.args);
    await usesThePeer(client, machines);
  });
}

test('clients of every revision use it by loopback HTTP, behind the guards of the server; Ctrl-C ends it', async () => {
  await using machines = await pair();
  const started = startProxy([...machines.args, '--http', '0']);
  const url = await started.said(/ is at (http:\S+)/);
  for (const kind of clientKinds) {
    await using client = await byHttp(kind, url);
    await usesThePeer(client, machines);
  }
  const foreign = await fetch(url, { method: 'POST', headers: { Origin: 'https://evil.example' }, body: '{}' });
  assert.is(foreign.status, 403);
  started.signal('SIGINT');
  assert.is(await started.exitCode, 0);
});

test('it ends when its standard input does, and writes nothing but MCP to standard output', async () => {
  await using machines = await pair();
  const started = startProxy(machines.args);
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  };
  started.child.stdin?.write(`${JSON.stringify(initialize)}\n`);
  await until(() => started.stdout().endsWith('\n'));
  started.child.stdin?.end();
  assert.is(await started.exitCode, 0);
  const [line = '', ...rest] = started.stdout().trimEnd().split('\n');
  assert.is(rest.length, 0);
  assert.is(JSON.parse(line).result.protocolVersion, '2025-11-25');
});

test('while the peer is away calls say so', async () => {
  await using machines = await pair();
  await using client = await byStdio('SDK 1.x', machines.args);
  assert.ok((await client.tools()).length > 0);
  await machines.there.node.stop();
  await until(async () => (await machines.here.mesh.call('status', {})).connected_peers === 0);
  const away = await client.call('word_count', { text: 'x' });
  assert.ok(away.isError);
  assert.match(String(away.structuredContent?.error), /peer_(unreachable|not_found)/);
});

test('a peer that is not known yet, and a node that does not run, are said at the start', async () => {
  await using machines = await pair();
  const unknown = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';
  const started = startProxy([unknown, ...machines.args.slice(1)]);
  await started.said(/peer_not_found\) Calls will say so/);
  started.child.stdin?.end();
  assert.is(await started.exitCode, 0);
  await machines.listener.close();
  const alone = startProxy(machines.args);
  await alone.said(/mesh_down\) Calls will say so/);
  alone.signal('SIGTERM');
  assert.is(await alone.exitCode, 0);
});

test('what was written wrong is refused before anything is served', async () => {
  const console = shell();
  assert.is((await console.ask('proxy')).exitCode, 2);
  const both = await console.ask('proxy', '12D3KooWx', '--http', '7400', '--stdio');
  assert.match(both.stderr, /not both/);
  assert.is((await console.ask('proxy', '12D3KooWx', '--http', 'x')).exitCode, 2);
  assert.equal(console.proxied, []);
  const served = await console.ask('proxy', '/ip4/10.0.0.2/tcp/1/p2p/12D3KooWx', '--http', '7400');
  assert.equal([served.exitCode, served.stdout], [0, '']);
  const [options] = console.proxied;
  assert.equal(options?.peer, { remote_multiaddr: '/ip4/10.0.0.2/tcp/1/p2p/12D3KooWx' });
  assert.is(options?.http?.port, 7400);
});

test.run();
