/** Requests that a node hands on to a peer for its own callers: to another node, and to any MCP server that has a peer id. */

import { fileURLToPath } from 'node:url';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { defaultGrant } from '../../../src/mesh/grant.ts';
import type { TaskProgress } from '../../../src/mesh/mesh.ts';
import { type OperationName, operationEntry, operationNames } from '../../../src/mesh/operations.ts';
import { carriageProtocol } from '../../../src/p2p/carriage.ts';
import { libp2pTransport } from '../../../src/p2p/mcp/transport.ts';
import { suite } from '../../tooling/suite.ts';
import { connect, failureOf, RawCarriage, rawHost, startNode, until } from '../support.ts';
import { openStream } from './support.ts';

const test = suite('MCP over libp2p: requests that are handed on');

const toolsModule = fileURLToPath(new URL('tools-module.ts', import.meta.url));

test('a node asks another node as the MCP server that it is', async () => {
  await using owner = await startNode({ toolsModule, defaultGrant: { ...defaultGrant, tools: ['*'] } });
  await using asking = await startNode();
  await connect(asking, owner);
  const there = { remote_peer_id: owner.peerId };
  const listed = await asking.mesh.call('mcp_request', { method: 'tools/list', ...there });
  assert.is(listed.peer_id, owner.peerId);
  assert.ok((listed.result.tools as { name: string }[]).some(({ name }) => name === 'word_count'));

  const params = { name: 'word_count', arguments: { text: 'one two three' } };
  const called = await asking.mesh.call('mcp_request', { method: 'tools/call', params, ...there });
  assert.equal(called.result.content, [{ type: 'text', text: '{"words":3}' }]);
  assert.equal(called.result.structuredContent, { words: 3 });

  const unknown = asking.mesh.call('mcp_request', { method: 'tools/call', params: { name: 'nothing' }, ...there });
  assert.is((await failureOf(unknown)).code, 'invalid_params');
  const self = asking.mesh.call('mcp_request', { method: 'tools/list', remote_peer_id: asking.peerId });
  assert.match((await failureOf(self)).message, /own MCP URL/);
  assert.is((await failureOf(asking.mesh.call('mcp_request', { method: 'tools/list' }))).code, 'invalid_params');
});

test('progress comes back, giving up and a time limit stop the tool', async () => {
  await using owner = await startNode({ toolsModule, defaultGrant: { ...defaultGrant, tools: ['*'] } });
  await using asking = await startNode();
  await connect(asking, owner);
  const input = { method: 'tools/call', params: { name: 'until_given_up' }, remote_peer_id: owner.peerId } as const;
  const giveUp = new AbortController();
  const heard = Promise.withResolvers<TaskProgress>();
  const hanging = failureOf(
    asking.mesh.call('mcp_request', input, { signal: giveUp.signal, onProgress: heard.resolve }),
  );
  assert.equal((await heard.promise).progress, { done: 1, of: 3, message: 'one of three' });
  giveUp.abort();
  assert.is((await hanging).code, 'cancelled');
  assert.is((await failureOf(asking.mesh.call('mcp_request', { ...input, timeout_s: 0.05 }))).code, 'timeout');
});

test('a peer cannot have a node ask another one', async () => {
  await using owner = await startNode();
  await using program = await rawHost([]);
  const raw = new RawCarriage(await openStream(program, owner.address));
  const params = { name: 'p2p_mcp_request', arguments: { method: 'tools/list', remote_peer_id: owner.peerId } };
  assert.is((await raw.request('tools/call', params))?.error?.code, -32602);
});

test('what comes from a peer is not handed on to a third node, whatever names it', async () => {
  await using owner = await startNode();
  await using asking = await startNode();
  await using third = await startNode();
  await connect(asking, owner);
  await connect(owner, third);
  const there = { remote_peer_id: owner.peerId };
  const ask = async (tool: string, args: Record<string, unknown>) => {
    const params = { name: tool, arguments: args };
    const { result } = await asking.mesh.call('mcp_request', { method: 'tools/call', params, ...there });
    return result.structuredContent as Record<string, unknown>;
  };
  const named = [
    { remote_peer_id: third.peerId },
    { remote_multiaddr: third.address },
    { remote_peer_id: owner.peerId, remote_multiaddr: third.address },
  ];
  const task_id = `${'0'.repeat(32)}@${owner.peerId}`;
  const least: Partial<Record<OperationName, Record<string, unknown>>> = {
    submit: { task_type: 'x' },
    submit_many: { tasks: [{ task_type: 'x' }] },
    fail: { task_id, fence: 1, error: 'e' },
    call_tool: { tool_name: 't' },
    cache_set: { key: 'k', value: 1 },
  };
  for (const name of operationNames.filter((each) => operationEntry(each).remote)) {
    const { tool, input } = operationEntry(name);
    const any = { key: 'k', task_id, fence: 1 };
    const needed = Object.entries(any).filter(([field]) => field in input.shape);
    const args = least[name] ?? Object.fromEntries(needed);
    for (const target of named) {
      const answer = await ask(tool, { ...args, ...target });
      assert.equal([answer.ok, answer.error], [false, 'invalid_params'], `${tool} ${JSON.stringify(target)}`);
    }
    assert.match(String((await ask(tool, { ...args, ...named[0] })).message), 'never handed on to a third node');
  }
  assert.is((await ask('p2p_taskqueue_submit', { task_type: 'x', peer_id: third.peerId })).ok, false);
  for (const { mesh } of [owner, third]) assert.is((await mesh.call('status', {})).queue.queued, 0);
  // Its own name is no other node.
  assert.is((await ask('p2p_taskqueue_status', there)).peer_id, owner.peerId);
  assert.is((await ask('p2p_taskqueue_submit', { task_type: 'x', remote_multiaddr: owner.address })).ok, true);
});

test('tools/call without the name of a tool is told what is missing', async () => {
  await using owner = await startNode();
  await using asking = await startNode();
  const there = { remote_multiaddr: owner.address };
  const nameless = await failureOf(asking.mesh.call('mcp_request', { method: 'tools/call', ...there }));
  assert.equal([nameless.code, /needs params with the name/.test(nameless.message)], ['invalid_params', true]);
  await using program = await rawHost([]);
  const raw = new RawCarriage(await openStream(program, owner.address));
  const { error } = (await raw.request('tools/call')) ?? {};
  assert.is(error?.code, -32602);
  assert.match(error?.message ?? '', /needs the name of a tool/);
});

test('a node asks a server of the SDK that is reached by peer id', async () => {
  await using program = await rawHost();
  await using asking = await startNode();
  let givenUp = 0;
  await program.handle(carriageProtocol, (stream) => {
    const newServer = (): McpServer => {
      const server = new McpServer({ name: 'plain', version: '1.0.0' }, { capabilities: { tools: {} } });
      server.registerTool('double', { inputSchema: z.object({ n: z.number() }) }, async ({ n }, context) => {
        const progressToken = context.mcpReq._meta?.progressToken;
        if (progressToken !== undefined) {
          const params = { progressToken, progress: 5, total: 10, message: 'half' };
          await context.mcpReq.notify({ method: 'notifications/progress', params });
        }
        if (n < 0) {
          await new Promise<void>((resolve) => context.mcpReq.signal.addEventListener('abort', () => resolve()));
          givenUp++;
        }
        return { content: [{ type: 'text', text: String(2 * n) }] };
      });
      return server;
    };
    serveStdio(newServer, { transport: libp2pTransport(stream) });
  });
  const there = { remote_multiaddr: String(program.getMultiaddrs()[0]) };
  const { result } = await asking.mesh.call('mcp_request', { method: 'server/discover', ...there });
  assert.ok((result.supportedVersions as string[]).includes('2026-07-28'));
  const heard: unknown[] = [];
  const call = (n: number, signal?: AbortSignal) =>
    asking.mesh.call(
      'mcp_request',
      { method: 'tools/call', params: { name: 'double', arguments: { n } }, ...there },
      { onProgress: ({ progress }) => heard.push(progress), ...(signal ? { signal } : {}) },
    );
  assert.equal((await call(21)).result.content, [{ type: 'text', text: '42' }]);
  assert.equal(heard, [{ done: 5, of: 10, message: 'half' }]);
  const giveUp = new AbortController();
  const hanging = failureOf(call(-1, giveUp.signal));
  await until(() => heard.length === 2);
  giveUp.abort();
  assert.is((await hanging).code, 'cancelled');
  await until(() => givenUp === 1);
});

test.run();
