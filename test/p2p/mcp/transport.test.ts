/** The SDKs over the transport, without a node of ours: a server that is reached by peer id, and clients that call it. */

import type { McpServer as OldServer } from '@modelcontextprotocol/sdk/server/mcp';
import { type McpServer as CurrentServer, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Libp2p } from 'libp2p';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import type { MeshError } from '../../../src/mesh/errors.ts';
import { carriageProtocol } from '../../../src/p2p/carriage.ts';
import { withoutLockChannel } from '../../../src/p2p/lock-channel.ts';
import { libp2pTransport } from '../../../src/p2p/mcp/transport.ts';
import { suite } from '../../tooling/suite.ts';
import { failureOf, RawCarriage, rawHost, until } from '../support.ts';
import { clientKinds, connectClient, openStream } from './support.ts';

// On Deno the first host would keep the process alive for ever; see there.
await withoutLockChannel(async () => {
  await using _ = await rawHost();
});

const test = suite('MCP over libp2p: the transport');

/** The old SDK's package names this file's types and its code differently, so that Deno finds one of them only. */
const oldFile = '@modelcontextprotocol/sdk/server/mcp.js';
const { McpServer: Old } = (await import(oldFile)) as { McpServer: typeof OldServer };

const info = { name: 'test-server', version: '1.2.3' };

/** A server with a tool that answers, one that reports progress, and one that waits until it is given up. */
class Served {
  readonly givenUp: string[] = [];
  waiting = 0;

  current(): CurrentServer {
    const server = new McpServer(info, { capabilities: { tools: {} } });
    server.registerTool(
      'add',
      { description: 'Adds.', inputSchema: z.object({ a: z.number(), b: z.number() }) },
      ({ a, b }) => ({
        content: [{ type: 'text', text: String(a + b) }],
      }),
    );
    server.registerTool('count', { description: 'Counts.' }, async (context) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [1, 2]) {
        if (progressToken !== undefined)
          await context.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 2 },
          });
      }
      return { content: [{ type: 'text', text: 'counted' }] };
    });
    server.registerTool('hang', { description: 'Hangs.' }, async (context) => {
      this.waiting++;
      await new Promise<void>((resolve) => context.mcpReq.signal.addEventListener('abort', () => resolve()));
      this.givenUp.push('hang');
      return { content: [] };
    });
    return server;
  }

  old(): OldServer {
    const server = new Old(info, { capabilities: { tools: {} } });
    server.registerTool('add', { description: 'Adds.', inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => ({
      content: [{ type: 'text', text: String(a + b) }],
    }));
    server.registerTool('count', { description: 'Counts.' }, async (extra) => {
      const progressToken = extra._meta?.progressToken;
      for (const progress of [1, 2]) {
        if (progressToken !== undefined)
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 2 },
          });
      }
      return { content: [{ type: 'text', text: 'counted' }] };
    });
    server.registerTool('hang', { description: 'Hangs.' }, async (extra) => {
      this.waiting++;
      await new Promise<void>((resolve) => extra.signal.addEventListener('abort', () => resolve()));
      this.givenUp.push('hang');
      return { content: [] };
    });
    return server;
  }
}

const serverKinds = ['SDK 2', 'SDK 1.x'] as const;

async function serve(host: Libp2p, served: Served, kind: (typeof serverKinds)[number]): Promise<string> {
  await host.handle(carriageProtocol, async (stream) => {
    if (kind === 'SDK 2') serveStdio(() => served.current(), { transport: libp2pTransport(stream) });
    else await served.old().connect(libp2pTransport(stream));
  });
  return String(host.getMultiaddrs()[0]);
}

for (const serverKind of serverKinds) {
  for (const clientKind of clientKinds) {
    test(`a client (${clientKind}) uses a server (${serverKind}) by peer id`, async () => {
      await using there = await rawHost();
      await using here = await rawHost([]);
      const served = new Served();
      const address = await serve(there, served, serverKind);
      await using client = await connectClient(clientKind, await openStream(here, address));
      assert.equal(client.server?.name, info.name);
      assert.equal(
        (await client.tools()).map(({ name }) => name),
        ['add', 'count', 'hang'],
      );
      assert.equal((await client.call('add', { a: 2, b: 3 })).content, [{ type: 'text', text: '5' }]);
      assert.ok((await client.call('add', { a: 'two' })).isError);

      const heard: number[] = [];
      await client.call('count', {}, { onprogress: ({ progress }) => heard.push(progress) });
      // While one waits to be sent, the next one takes its place.
      assert.is(heard.at(-1), 2);

      const giveUp = new AbortController();
      const hanging = client.call('hang', {}, { signal: giveUp.signal });
      await until(() => served.waiting === 1);
      giveUp.abort();
      assert.is(await hanging.catch(() => 'rejected'), 'rejected');
      await until(() => served.givenUp.length === 1);
      assert.ok((await client.tools()).length === 3, 'the stream goes on after a cancellation');
    });
  }
}

test('many requests are in flight on one stream', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  const address = await serve(there, new Served(), 'SDK 2');
  await using client = await connectClient('SDK 2, revision 2026-07-28', await openStream(here, address));
  const sums = await Promise.all(Array.from({ length: 100 }, (_, a) => client.call('add', { a, b: 1 })));
  assert.equal(
    sums.map(({ content }) => Number(content[0]?.text)),
    Array.from({ length: 100 }, (_, a) => a + 1),
  );
});

test('closing either side ends the other, once', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  const ends: string[] = [];
  const accepted = Promise.withResolvers<ReturnType<typeof libp2pTransport>>();
  await there.handle(carriageProtocol, async (stream) => {
    const transport = libp2pTransport(stream);
    transport.onclose = () => ends.push('server');
    await transport.start();
    accepted.resolve(transport);
  });
  const transport = libp2pTransport(await openStream(here, String(there.getMultiaddrs()[0])));
  transport.onclose = () => ends.push('client');
  await transport.start();
  await transport.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await accepted.promise;
  await transport.close();
  await transport.close();
  await until(() => ends.length === 2);
  assert.equal(ends.sort(), ['client', 'server']);
  const late = await failureOf(transport.send({ jsonrpc: '2.0', method: 'notifications/initialized' }));
  assert.is(late.code, 'peer_unreachable');
});

test('a broken frame, and half a frame, end the stream with a word why', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  const errors: Error[] = [];
  await there.handle(carriageProtocol, async (stream) => {
    const transport = libp2pTransport(stream, { limits: { frameDeadlineMs: 50, maxFrameBytes: 1_000 } });
    transport.onerror = (error) => errors.push(error);
    await transport.start();
  });
  const cases: [bytes: number[], code: string][] = [
    [[0, 0, 0, 2, 0x7b, 0x7b], 'invalid_json'],
    [[0, 0, 0, 2, 0x7b, 0x7d], 'invalid_message'],
    [[0, 0, 0, 0], 'invalid_message'],
    [[0, 1, 0, 0], 'frame_too_large'],
    [[0, 0, 0, 9, 0x7b], 'invalid_message'],
  ];
  for (const [bytes, code] of cases) {
    const raw = new RawCarriage(await openStream(here, String(there.getMultiaddrs()[0])));
    raw.bytes(Uint8Array.from(bytes));
    const last = await raw.next();
    assert.is(last?.error?.code, -32003);
    assert.is(last?.error?.message, code);
    await raw.closed;
    await until(() => errors.length > 0);
    assert.is((errors.pop() as MeshError).code, code);
  }
});

test('the far side’s last word reaches onerror, and what was asked fails', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  await there.handle(carriageProtocol, (stream) => {
    const raw = new RawCarriage(stream);
    raw.send({ jsonrpc: '2.0', id: null, error: { code: -32003, message: 'invalid_json' } });
    void stream.close();
  });
  const transport = libp2pTransport(await openStream(here, String(there.getMultiaddrs()[0])));
  const said = Promise.withResolvers<Error>();
  const ended = Promise.withResolvers<void>();
  transport.onerror = (error) => said.resolve(error);
  transport.onclose = () => ended.resolve();
  await transport.start();
  assert.match((await said.promise).message, /-32003: invalid_json/);
  await ended.promise;
});

test('what was asked before the far side ended its half is answered', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  const address = await serve(there, new Served(), 'SDK 2');
  const raw = new RawCarriage(await openStream(here, address));
  raw.send({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: info },
  });
  void raw.stream.close();
  assert.ok((await raw.next())?.result);
});

test('a message over the limit is refused before it is sent, and more requests than allowed are refused as busy', async () => {
  await using there = await rawHost();
  await using here = await rawHost([]);
  await there.handle(carriageProtocol, async (stream) => {
    await libp2pTransport(stream, { limits: { maxInFlight: 1 } }).start();
  });
  const address = String(there.getMultiaddrs()[0]);
  const small = libp2pTransport(await openStream(here, address), { limits: { maxFrameBytes: 100 } });
  await small.start();
  const tooLarge = await failureOf(small.send({ jsonrpc: '2.0', method: 'x', params: { text: 'x'.repeat(100) } }));
  assert.is(tooLarge.code, 'payload_too_large');
  const raw = new RawCarriage(await openStream(here, address));
  raw.send({ jsonrpc: '2.0', id: 1, method: 'a' });
  raw.send({ jsonrpc: '2.0', id: 2, method: 'b' });
  const refusal = await raw.next();
  assert.is(refusal?.id, 2);
  assert.match(refusal?.error?.message ?? '', /1 requests of this stream/);
  await small.close();
});

test.run();
