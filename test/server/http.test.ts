/** What reaches the MCP handlers and what does not: guards, bodies, methods, health. */

import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { operations } from '../../src/mesh/operations.ts';
import { createApp } from '../../src/server/app.ts';
import { hostnameOf } from '../../src/server/guards.ts';
import { suite } from '../tooling/suite.ts';
import { aborted, FakeMesh, inputs } from './fake-mesh.ts';
import { errorOf, exchange, initialize, modernCall, modernRevision, openSession, post, resultOf } from './raw.ts';
import { withServer } from './serve.ts';

const guards = suite('guards');

guards('a Host that is not ours is refused, and the answer says how to allow it', () =>
  withServer({}, async ({ url, listener }) => {
    const answer = await exchange(
      url,
      `GET /livez HTTP/1.1\r\nHost: evil.example:${listener.port}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 403 /);
    assert.match(answer, /evil\.example/);
    assert.match(answer, /--allowed-hosts/);
  }),
);

guards('loopback names pass with any port, and so does a host that was allowed', () =>
  withServer({ allowedHosts: ['mesh.example:9'] }, async ({ url }) => {
    for (const host of ['localhost', '127.0.0.1:1', '[::1]:5', 'mesh.example', 'mesh.example:80']) {
      const answer = await exchange(url, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 200 /, host);
    }
  }),
);

guards('a page of another origin is refused before its body is read', () =>
  withServer({}, async ({ url, fake }) => {
    for (const origin of ['http://evil.example', 'null', 'garbage']) {
      const response = await post(url, 'not even JSON', { Origin: origin });
      assert.is(response.status, 403, origin);
      assert.match((await errorOf(response)).message, /--allowed-origins/);
    }
    assert.is(fake.calls.length, 0);
  }),
);

guards('a page of an allowed origin may ask and read; one of loopback may not read', () =>
  withServer({ allowedOrigins: ['https://app.example'] }, async ({ url }) => {
    const preflight = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'mcp-session-id' };
    const asked = async (origin: string) =>
      (await fetch(url, { method: 'OPTIONS', headers: { Origin: origin, ...preflight } })).headers;
    assert.is((await asked('https://app.example')).get('access-control-allow-origin'), 'https://app.example');
    assert.is((await asked('http://localhost:3000')).get('access-control-allow-origin'), null);
    const response = await post(url, '{', { Origin: 'https://app.example' });
    assert.is(response.status, 400);
    assert.is(response.headers.get('access-control-allow-origin'), 'https://app.example');
    assert.match(response.headers.get('access-control-expose-headers') ?? '', /Mcp-Session-Id/);
  }),
);

guards('hosts are understood as people write them', () => {
  assert.is(hostnameOf('Mesh.Example'), 'mesh.example');
  assert.is(hostnameOf('mesh.example:7330'), 'mesh.example');
  assert.is(hostnameOf('https://mesh.example:7330/mcp'), 'mesh.example');
  assert.is(hostnameOf('fd00::1'), '[fd00::1]');
  assert.is(hostnameOf('[fd00::1]:7330'), '[fd00::1]');
  assert.is(hostnameOf('moz-extension://*'), 'moz-extension://*');
});

guards.run();

const bodies = suite('bodies');

bodies('that are no JSON get -32700, and why', () =>
  withServer({}, async ({ url }) => {
    for (const body of ['{"jsonrpc":', '', 'hello']) {
      const response = await post(url, body);
      assert.is(response.status, 400);
      const error = await errorOf(response);
      assert.is(error.code, -32700);
      assert.match(error.message, /not JSON/);
    }
    const latin1 = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Uint8Array([0x7b, 0x22, 0xe4, 0x22, 0x3a, 0x31, 0x7d]),
    });
    assert.match((await errorOf(latin1)).message, /UTF-8/);
  }),
);

bodies('that are JSON and no JSON-RPC get -32600', () =>
  withServer({}, async ({ url }) => {
    for (const body of ['null', '1', '"x"', '[]', '{}', '{"jsonrpc":"2.0","params":null}', '[null]']) {
      const response = await post(url, body);
      assert.is(response.status, 400, body);
      assert.is((await errorOf(response)).code, -32600, body);
    }
  }),
);

bodies('of another media type get 415', () =>
  withServer({}, async ({ url }) => {
    assert.is((await post(url, '{}', { 'Content-Type': 'text/plain' })).status, 415);
  }),
);

bodies('of 10 MiB are refused, with and without a declared length, and the server goes on', () =>
  withServer({}, async ({ url, fake }) => {
    const big = 'a'.repeat(10 * 1024 * 1024);
    const declared = await modernCall(url, operations.submit.tool, { payload: big });
    assert.is(declared.status, 413);
    const error = await errorOf(declared);
    assert.match(error.message, /4194304 bytes/);
    assert.is(error.data?.error, 'payload_too_large');
    const chunk = new TextEncoder().encode(big.slice(0, 1024 * 1024));
    let sent = 0;
    const undeclared = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ === 10) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: undeclared, duplex: 'half' };
    const streamed = await fetch(url, init as RequestInit);
    assert.is(streamed.status, 413);
    await streamed.body?.cancel();
    const after = await modernCall(url, operations.status.tool, {});
    assert.is(after.status, 200);
    await after.text();
    assert.is(fake.calls.length, 1);
  }),
);

bodies('nested without end are refused before anything recurses into them', () =>
  withServer({}, async ({ url }) => {
    const response = await post(url, `${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    assert.is(response.status, 400);
    const error = await errorOf(response);
    assert.is(error.code, -32600);
    assert.is(error.data?.error, 'too_deep');
  }),
);

bodies('that would be too much together are refused until there is room', () =>
  withServer({ limits: { maxBodyBytes: 1_000, maxBufferedBytes: 1_500 } }, async ({ url, defer }) => {
    const begun = Promise.withResolvers<Socket>();
    const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n';
    const first = exchange(url, `${head}Content-Type: application/json\r\nConnection: close\r\n\r\n`, (socket) => {
      // The server asks for the body once it reads it.
      socket.once('data', () => begun.resolve(socket));
    });
    const socket = await begun.promise;
    defer(() => socket.destroy());
    const second = await post(url, 'x'.repeat(600));
    assert.is(second.status, 503);
    assert.is((await errorOf(second)).data?.error, 'busy');
    socket.write('x'.repeat(1_000));
    assert.match(await first, /-32700/);
    const third = await post(url, 'x'.repeat(600));
    assert.is(third.status, 400);
    await third.text();
  }),
);

bodies.run();

const paths = suite('paths and methods');

paths('an unknown path gets a 404 in JSON that names /mcp', () =>
  withServer({}, async ({ url }) => {
    const response = await fetch(new URL('/nothing', url));
    assert.is(response.status, 404);
    assert.match(((await response.json()) as { message: string }).message, /\/mcp/);
  }),
);

paths('GET, DELETE and PUT of revision 2026-07-28 get 405 with what is allowed', () =>
  withServer({}, async ({ url }) => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const response = await fetch(url, { method, headers: { 'MCP-Protocol-Version': modernRevision } });
      assert.is(response.status, 405, method);
      assert.is(response.headers.get('allow'), 'POST', method);
      await response.body?.cancel();
    }
  }),
);

paths('a person who opens /mcp in a browser is told what it is', () =>
  withServer({}, async ({ url }) => {
    const response = await fetch(url, { headers: { Accept: 'text/html' } });
    assert.is(response.status, 405);
    assert.match((await errorOf(response)).message, /MCP client/);
  }),
);

paths('a request of revision 2026-07-28 gets no session, one of initialize does', () =>
  withServer({}, async ({ url, app }) => {
    const modern = await modernCall(url, operations.status.tool, {});
    assert.is(modern.headers.get('mcp-session-id'), null);
    assert.match(modern.headers.get('content-type') ?? '', /^application\/json/);
    assert.is((await resultOf(modern)).resultType, 'complete');
    assert.is(app.sessions, 0);
    assert.match(await openSession(url), /^[0-9a-f-]{36}$/);
    assert.is(app.sessions, 1);
  }),
);

paths('what comes after the end is told to try again later', () =>
  withServer({}, async ({ url, app }) => {
    await app.close();
    const response = await modernCall(url, operations.status.tool, {});
    assert.is(response.status, 503);
    assert.is((await errorOf(response)).data?.error, 'mesh_down');
  }),
);

paths('each revision with sessions is agreed on as asked', () =>
  withServer({}, async ({ url }) => {
    for (const revision of ['2025-11-25', '2025-06-18', '2025-03-26']) {
      assert.is((await resultOf(await initialize(url, revision))).protocolVersion, revision);
    }
  }),
);

paths('a call that may wait long answers with a stream from the start, before there is a result', () =>
  withServer({}, async ({ url, fake }) => {
    const go = Promise.withResolvers<void>();
    fake.on('claim', async () => {
      await go.promise;
      return { task: null };
    });
    const response = await modernCall(url, operations.claim.tool, { wait_s: 600 });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    go.resolve();
    assert.equal((await resultOf(response)).structuredContent, { ok: true, task: null });
  }),
);

for (const name of ['claim', 'get'] as const) {
  paths(`a client that goes away during ${name} is heard by the mesh`, () =>
    withServer({}, async ({ url, fake }) => {
      const leave = new AbortController();
      const heard = Promise.withResolvers<void>();
      fake.on(name, async (_input, { signal }) => {
        leave.abort();
        await aborted(signal);
        heard.resolve();
        throw signal?.reason;
      });
      const answer = modernCall(url, operations[name].tool, inputs[name], {}, leave.signal);
      const thrown = await answer.then((response) => response.text()).catch((error: Error) => error);
      assert.is((thrown as Error).name, 'AbortError');
      await heard.promise;
    }),
  );
}

paths.run();

const health = suite('health');

health('livez is 200 always; readyz is 503 until the mesh is ready, and says why', async () => {
  let now: boolean | { ready: boolean; reason: string } = { ready: false, reason: 'the P2P node is starting' };
  const fake = new FakeMesh();
  const { hono } = createApp(fake.mesh, { version: '1.2.3', ready: () => now });
  const ask = (path: string) => hono.request(path, { headers: { Host: 'localhost' } });
  assert.is((await ask('/livez')).status, 200);
  const starting = await ask('/readyz');
  assert.is(starting.status, 503);
  assert.is(starting.headers.get('retry-after'), '1');
  assert.match(((await starting.json()) as { message: string }).message, /the P2P node is starting/);
  now = true;
  const ready = await ask('/readyz');
  assert.is(ready.status, 200);
  assert.equal(await ready.json(), { ok: true, status: 'ready', version: '1.2.3' });
  assert.is(fake.calls.length, 0, 'health asks the mesh nothing');
});

health.run();
