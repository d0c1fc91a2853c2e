/** The socket's side: slow senders, slow readers, too many, a port in use, and the end. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { operations } from '../../src/mesh/operations.ts';
import { createApp } from '../../src/server/app.ts';
import { listen } from '../../src/server/listen.ts';
import { suite } from '../tooling/suite.ts';
import { aborted, exampleTask, FakeMesh, inputs } from './fake-mesh.ts';
import { exchange, inSession, modernCall, modernCallText, openSession, resultOf } from './raw.ts';
import { withServer } from './serve.ts';

const closingRequest = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** What a client that was cut may have been told: that it was too slow, or nothing. */
const cutOff = /^$|^HTTP\/1\.1 (408|400) /;

const slow = suite('slow clients');

slow('headers that do not end are cut', () =>
  withServer({ limits: { headersDeadlineMs: 200, bodyDeadlineMs: 400 } }, async ({ url, fake }) => {
    const answer = await exchange(url, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    assert.match(answer, cutOff);
    assert.is(fake.calls.length, 0);
  }),
);

slow('a body that does not end is cut', () =>
  withServer({ limits: { headersDeadlineMs: 200, bodyDeadlineMs: 400 } }, async ({ url, fake }) => {
    const head =
      'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    const answer = await exchange(url, head);
    assert.match(answer, cutOff);
    assert.is(fake.calls.length, 0);
  }),
);

slow('a connection that sends nothing is cut', () =>
  withServer({ limits: { headersDeadlineMs: 200, bodyDeadlineMs: 400 } }, async ({ url }) => {
    const answer = await exchange(url, '');
    assert.match(answer, cutOff);
  }),
);

slow('an answer takes as long as it takes: the time limits are for what a client sends', () =>
  withServer({ limits: { headersDeadlineMs: 100, bodyDeadlineMs: 200 } }, async ({ url, fake }) => {
    // A connection that is cut by the limits shows that they have passed.
    fake.on('wait', async () => {
      await exchange(url, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n');
      await exchange(url, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n');
      return { task: exampleTask, done: false };
    });
    for (const timeout_s of [1, 600]) {
      const response = await modernCall(url, operations.wait.tool, { ...inputs.wait, timeout_s });
      assert.is((await resultOf(response)).isError, false);
    }
  }),
);

slow('a client that asks for much and reads nothing is cut', () =>
  withServer({ limits: { httpStallMs: 300, maxHttpConnections: 1 } }, async ({ url, fake }) => {
    const bytes = 32 * 1024 * 1024;
    const answered = Promise.withResolvers<void>();
    fake.on('get', async () => {
      answered.resolve();
      return { task: { ...exampleTask, result: 'x'.repeat(bytes) } };
    });
    let reads = (): void => {};
    const received = exchange(url, modernCallText(operations.get.tool, inputs.get), (socket) => {
      socket.pause();
      reads = () => socket.resume();
    });
    await answered.promise;
    // The only connection that may be open is that one: another is served when it was cut.
    await untilServed(url);
    reads();
    assert.ok((await received).length < bytes);
  }),
);

/** Resolves when a new connection is served. */
async function untilServed(url: string): Promise<void> {
  while ((await exchange(url, closingRequest)) === '');
}

slow.run();

const bounds = suite('bounds');

bounds('a connection above the limit is closed, and those below go on', () =>
  withServer({ limits: { maxHttpConnections: 2 } }, async ({ url }) => {
    const ask = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const ends: (() => void)[] = [];
    const open = (): Promise<string> => exchange(url, ask, (socket) => ends.push(() => socket.end()));
    const first = open();
    const second = open();
    await untilRefused(url);
    for (const end of ends) end();
    for (const answer of [await first, await second]) assert.match(answer, /^HTTP\/1\.1 200/);
  }),
);

/** Resolves when a new connection is refused. */
async function untilRefused(url: string): Promise<void> {
  while ((await exchange(url, closingRequest)) !== '');
}

bounds('a port in use is an error that says what to do', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const app = createApp(new FakeMesh().mesh, { version: '0', ready: () => true });
  try {
    await listen(app, { host: '127.0.0.1', port });
    assert.unreachable();
  } catch (thrown) {
    assert.instance(thrown, MeshError);
    assert.is((thrown as MeshError).code, 'address_in_use');
    assert.match((thrown as MeshError).message, new RegExp(`127\\.0\\.0\\.1:${port}.*--port`));
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
});

bounds('an address that is not ours is an error that says what to do', async () => {
  const app = createApp(new FakeMesh().mesh, { version: '0', ready: () => true });
  const thrown = await listen(app, { host: '192.0.2.1', port: 0 }).catch((error: unknown) => error);
  assert.is((thrown as MeshError).code, 'invalid_config');
  assert.match((thrown as MeshError).message, /--host/);
});

bounds('the URL is one that a client on this machine can use', async () => {
  for (const [host, name] of [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['localhost', 'localhost'],
  ] as const) {
    const app = createApp(new FakeMesh().mesh, { version: '0', ready: () => true });
    const listener = await listen(app, { host, port: 0 });
    assert.is(listener.url, `http://${name}:${listener.port}/mcp`);
    const response = await fetch(new URL('/livez', listener.url));
    assert.is(response.status, 200);
    await response.text();
    await listener.close();
  }
});

bounds.run();

const close = suite('close');

close('finishes what is in flight, in both eras, and refuses what is new', () =>
  withServer({}, async ({ url, fake, app, listener }) => {
    const running = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    fake.on('wait', async () => {
      if (fake.calls.length === 3) running.resolve();
      await go.promise;
      return { task: exampleTask, done: false };
    });
    const session = await openSession(url);
    const calls = [
      modernCall(url, operations.wait.tool, { ...inputs.wait, timeout_s: 1 }),
      modernCall(url, operations.wait.tool, { ...inputs.wait, timeout_s: 600 }),
      inSession(url, session, 'tools/call', { name: operations.wait.tool, arguments: inputs.wait }),
    ];
    await running.promise;
    const closing = listener.close({ graceMs: 60_000 });
    const refused = await fetch(url).catch((error: Error) => error);
    assert.instance(refused, Error);
    go.resolve();
    for (const call of calls) assert.is((await resultOf(await call)).isError, false);
    await closing;
    assert.is(app.sessions, 0);
  }),
);

close('cuts after the grace what does not finish, and the mesh hears it', () =>
  withServer({}, async ({ url, fake, listener }) => {
    const running = Promise.withResolvers<void>();
    const heard: Promise<unknown>[] = [];
    fake.on('wait', async (_input, { signal }) => {
      heard.push(aborted(signal));
      if (heard.length === 2) running.resolve();
      await aborted(signal);
      throw signal?.reason;
    });
    const session = await openSession(url);
    const calls = [
      modernCall(url, operations.wait.tool, inputs.wait),
      inSession(url, session, 'tools/call', { name: operations.wait.tool, arguments: inputs.wait }),
    ];
    const ends = calls.map((call) => call.then((response) => response.text()).catch(() => 'cut'));
    await running.promise;
    await listener.close({ graceMs: 50 });
    await Promise.all(heard);
    for (const end of ends) assert.not.match(await end, /"result"/);
  }),
);

close('does not wait for connections on which nothing is asked, nor for open streams', () =>
  withServer({}, async ({ url, listener }) => {
    const idle = exchange(url, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const half = exchange(url, 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n');
    const session = await openSession(url);
    const stream = await fetch(url, { headers: { Accept: 'text/event-stream', 'Mcp-Session-Id': session } });
    assert.is(stream.status, 200);
    // With a grace that the test would not survive.
    await listener.close({ graceMs: 3_600_000 });
    await Promise.all([idle, half, stream.text().catch(() => '')]);
  }),
);

close('is idempotent', () =>
  withServer({}, async ({ listener }) => {
    await Promise.all([listener.close(), listener.close({ graceMs: 10 })]);
    await listener.close();
  }),
);

close.run();
