/** A taskmesh node as an MCP server that the SDKs' clients reach by peer id, in both bindings. */

import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { defaultGrant } from '../../../src/mesh/grant.ts';
import { operationEntry, operationNames } from '../../../src/mesh/operations.ts';
import { clientCapabilitiesKey, mcpRevision, protocolVersionKey } from '../../../src/p2p/carriage.ts';
import { createApp } from '../../../src/server/app.ts';
import { suite } from '../../tooling/suite.ts';
import { connect, eventOf, failureOf, RawCarriage, rawHost, startNode, until } from '../support.ts';
import { clientKinds, connectClient, openStream } from './support.ts';

const test = suite('MCP over libp2p: a node as a server');

const toolsModule = fileURLToPath(new URL('tools-module.ts', import.meta.url));
const withTools = { toolsModule, defaultGrant: { ...defaultGrant, tools: ['*'] } };
const ownTools = ['word_count', 'shout', 'explode', 'until_given_up'];

for (const kind of clientKinds) {
  test(`a client (${kind}) lists and calls a node’s tools by peer id`, async () => {
    await using node = await startNode(withTools);
    await using program = await rawHost([]);
    await using client = await connectClient(kind, await openStream(program, node.address));
    assert.is(client.server?.name, 'taskmesh');

    const tools = await client.tools();
    const remote = operationNames.map(operationEntry).filter((entry) => entry.remote);
    assert.equal(
      tools.map(({ name }) => name),
      [...remote.map(({ tool }) => tool), ...ownTools],
    );
    assert.equal(tools.find(({ name }) => name === 'word_count')?.inputSchema, {
      type: 'object',
      properties: { text: { type: 'string' } },
      required: ['text'],
    });

    const status = await client.call('p2p_taskqueue_status');
    assert.is(status.structuredContent?.peer_id, node.peerId);
    assert.equal(JSON.parse(status.content[0]?.text ?? ''), status.structuredContent);
    const missing = await client.call('p2p_taskqueue_get_task', { task_id: '0'.repeat(32) });
    assert.equal([missing.isError, missing.structuredContent?.error], [true, 'task_not_found']);

    const counted = await client.call('word_count', { text: 'to be or not' });
    assert.equal(counted.structuredContent, { words: 4 });
    assert.equal((await client.call('shout')).content, [{ type: 'text', text: 'HELLO' }]);
    const exploded = await client.call('explode');
    assert.ok(exploded.isError);
    assert.match(exploded.content[0]?.text ?? '', /it exploded.*tool_error/);
    const unfit = await client.call('word_count', { text: 7 });
    assert.equal([unfit.isError, unfit.structuredContent?.error], [true, 'invalid_params']);
    await client.call('connect_peer').then(
      () => assert.unreachable('operations that peers may not ask are no tools'),
      (error) => assert.match(String(error), /no tool "connect_peer"/),
    );
  });

  test(`a client (${kind}) hears progress of a task and of a tool, and cancels`, async () => {
    await using node = await startNode(withTools);
    await using program = await rawHost([]);
    await using client = await connectClient(kind, await openStream(program, node.address));

    const { task_id } = await node.mesh.call('submit', { task_type: 'long' });
    const { task } = await node.mesh.call('claim', { supported_task_types: ['long'] });
    const reported = Promise.withResolvers<string | undefined>();
    const waiting = client.call(
      'p2p_taskqueue_wait_task',
      { task_id },
      { onprogress: ({ message }) => reported.resolve(message) },
    );
    const lease = { task_id, fence: task?.fence ?? 0 };
    await until(async () => (await node.mesh.call('status', { detail: true })).detail?.waiters === 1);
    await node.mesh.call('heartbeat', { ...lease, progress: { done: 1, of: 2 } });
    assert.match((await reported.promise) ?? '', /running/);
    await node.mesh.call('complete', { ...lease, result: 42 });
    assert.is((await waiting).structuredContent?.done, true);

    const giveUp = new AbortController();
    const step = Promise.withResolvers<object>();
    const hanging = client.call(
      'until_given_up',
      {},
      { signal: giveUp.signal, onprogress: (heard) => step.resolve(heard) },
    );
    const heard = (await step.promise) as { progress: number; total?: number; message?: string };
    assert.equal([heard.progress, heard.total, heard.message], [1, 3, 'one of three']);
    giveUp.abort();
    assert.is(await hanging.catch(() => 'given up'), 'given up');
    // The node answers what follows: the stream lives on.
    assert.ok((await client.tools()).length > 0);
  });
}

function versionIn(message: { result?: object } | undefined): unknown {
  return (message?.result as { protocolVersion?: unknown } | undefined)?.protocolVersion;
}

test('a client sees and calls the tools that its grant names, and no others', async () => {
  await using node = await startNode({ toolsModule, defaultGrant: { ...defaultGrant, tools: ['shout'] } });
  await using program = await rawHost([]);
  for (const kind of clientKinds) {
    await using client = await connectClient(kind, await openStream(program, node.address));
    const names = (await client.tools()).map(({ name }) => name);
    assert.equal(
      ownTools.filter((name) => names.includes(name)),
      ['shout'],
    );
    assert.equal((await client.call('shout')).content, [{ type: 'text', text: 'HELLO' }]);
    const refused = await client.call('word_count', { text: 'x' });
    assert.equal([refused.isError, refused.structuredContent?.error], [true, 'unauthorized']);
  }
});

test('a session answers ping, and the sessionless binding does not', async () => {
  await using node = await startNode();
  await using program = await rawHost([]);
  await using old = await connectClient('SDK 1.x', await openStream(program, node.address));
  assert.equal(await old.ping(), {});
  const raw = new RawCarriage(await openStream(program, node.address));
  assert.is((await raw.request('ping'))?.error?.code, -32601);
});

test('the first request decides which binding a stream speaks; server/discover decides nothing', async () => {
  await using node = await startNode();
  await using program = await rawHost([]);
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  };
  const session = new RawCarriage(await openStream(program, node.address));
  assert.equal((await session.request('server/discover'))?.result?.supportedVersions, [mcpRevision]);
  session.send(initialize);
  assert.is(versionIn(await session.next()), '2025-06-18');
  session.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  session.send({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
  const listed = (await session.next())?.result;
  assert.ok((listed?.tools?.length ?? 0) > 0);
  assert.is(listed?.resultType, undefined, 'earlier revisions have no such field');

  const unknown = new RawCarriage(await openStream(program, node.address));
  unknown.send({ ...initialize, params: { ...initialize.params, protocolVersion: '1999-01-01' } });
  assert.is(versionIn(await unknown.next()), '2025-11-25');

  const sessionless = new RawCarriage(await openStream(program, node.address));
  assert.ok((await sessionless.request('tools/list'))?.result);
  sessionless.send(initialize);
  assert.is((await sessionless.next())?.error?.code, -32601);

  const python = new RawCarriage(await openStream(program, node.address));
  python.send({ ...initialize, params: { clientInfo: {}, profiles: ['mcp++/p2p-transport'] } });
  const refusal = await python.next();
  assert.is(refusal?.error?.code, -32602);
  assert.match(refusal?.error?.message ?? '', /python-listen/);
});

test('a request of a revision that is not spoken is answered as over HTTP: with those that are', async () => {
  await using node = await startNode();
  await using program = await rawHost([]);
  const { hono } = createApp(node.mesh, { version: '1', ready: () => ({ ready: true }) });
  for (const [method, params] of [
    ['tools/list', {}],
    ['server/discover', {}],
    ['tools/call', { name: 'p2p_taskqueue_status' }],
  ] as const) {
    const _meta = { [protocolVersionKey]: '2030-01-01', [clientCapabilitiesKey]: {} };
    const message = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } };
    const raw = new RawCarriage(await openStream(program, node.address));
    raw.send(message);
    const error = (await raw.next())?.error;
    const response = await hono.request('http://127.0.0.1/mcp', {
      method: 'POST',
      headers: {
        host: '127.0.0.1',
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2030-01-01',
        'mcp-method': method,
        ...('name' in params ? { 'mcp-name': params.name } : {}),
      },
      body: JSON.stringify(message),
    });
    const overHttp = ((await response.json()) as { error: { code: number; data: Record<string, unknown> } }).error;
    const { supported, requested } = overHttp.data;
    assert.equal([error?.code, error?.data?.supported, error?.data?.requested], [-32022, supported, requested]);
    assert.is(overHttp.code, -32022);
    // The stream lives on, in the revision that it was told.
    const listed = await raw.request('tools/list');
    assert.ok(listed?.result?.tools, JSON.stringify([method, listed]));
  }
});

test('a node asks nothing over a stream that some other MCP client opened', async () => {
  await using node = await startNode();
  await using program = await rawHost();
  await using client = await connectClient('SDK 2, revision 2026-07-28', await openStream(program, node.address));
  await client.tools();
  // The program serves nothing: a call to it must find that out, and not be sent over its client's stream.
  const failure = await failureOf(node.mesh.call('status', { remote_peer_id: program.peerId.toString() }));
  assert.is(failure.code, 'peer_protocol_error');
});

test('nodes among themselves still share one stream, and send no answer twice', async () => {
  await using a = await startNode(withTools);
  await using b = await startNode();
  await connect(b, a);
  const joined = eventOf(a.mesh, ({ type }) => type === 'task');
  await b.mesh.call('submit', { task_type: 'x', remote_peer_id: a.peerId });
  await joined;
  const { result } = await b.mesh.call('call_tool', {
    tool_name: 'word_count',
    args: { text: 'one two' },
    remote_peer_id: a.peerId,
  });
  assert.equal(result, { words: 2 });
  await a.mesh.call('status', { remote_peer_id: b.peerId });
  assert.equal(a.node.carriageStreams(), { [b.peerId]: 1 });

  await using program = await rawHost([]);
  const raw = new RawCarriage(await openStream(program, a.address));
  raw.send({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'p2p_taskqueue_status',
      _meta: { [protocolVersionKey]: mcpRevision, [clientCapabilitiesKey]: {}, 'taskmesh/structuredOnly': true },
    },
  });
  assert.equal((await raw.next())?.result?.content, []);
});

test.run();
