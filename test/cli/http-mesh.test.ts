import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import * as assert from 'uvu/assert';
import { createHttpMesh } from '../../src/cli/http-mesh.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { TaskProgress } from '../../src/mesh/mesh.ts';
import { type OperationName, operationNames } from '../../src/mesh/operations.ts';
import { aborted, exampleTask, inputs, peerId, taskId } from '../server/fake-mesh.ts';
import { withServer } from '../server/serve.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { shell } from './shell.ts';

async function failureOf(running: Promise<unknown>): Promise<MeshError> {
  try {
    await running;
  } catch (thrown) {
    assert.instance(thrown, MeshError);
    return thrown as MeshError;
  }
  throw new Error('the call went well');
}

const test = suite('the mesh of a node over HTTP');

test('every operation answers what the node’s own mesh answers', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    for (const name of operationNames) {
      const input = inputs[name] as never;
      assert.equal(await mesh.call(name as OperationName, input), await fake.mesh.call(name, input), name);
    }
  }));

test('a node’s error arrives with its code, message and details', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    fake.on('get', () =>
      Promise.reject(new MeshError('task_not_found', 'There is no such task.', { details: { hint: 1 } })),
    );
    const error = await failureOf(mesh.call('get', { task_id: taskId }));
    assert.equal(error.toFailure(), {
      ok: false,
      error: 'task_not_found',
      message: 'There is no such task.',
      retryable: false,
      details: { hint: 1 },
    });
  }));

test('progress arrives whole while a wait waits', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    const heard = Promise.withResolvers<TaskProgress>();
    const progress: TaskProgress = { task_id: taskId, status: 'running', attempt: 2, progress: { done: 3, of: 10 } };
    fake.on('wait', async (_input, { onProgress }) => {
      onProgress?.(progress);
      await heard.promise;
      return { task: exampleTask, done: true };
    });
    await mesh.call('wait', { task_id: taskId }, { onProgress: heard.resolve });
    assert.equal(await heard.promise, progress);
  }));

test('giving a call up ends it at once, and tells the node', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    const controller = new AbortController();
    const told = Promise.withResolvers<unknown>();
    fake.on('wait', async (_input, { signal }) => {
      controller.abort();
      told.resolve(await aborted(signal));
      return { task: exampleTask, done: false };
    });
    const error = await failureOf(mesh.call('wait', { task_id: taskId }, { signal: controller.signal }));
    assert.is(error.code, 'cancelled');
    await told.promise;
    const before = await failureOf(mesh.call('status', {}, { signal: AbortSignal.abort() }));
    assert.is(before.code, 'cancelled');
  }));

test('a node that does not answer in time is a timeout', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    fake.on('status', async (_input, { signal }) => {
      await aborted(signal);
      throw new MeshError('cancelled', 'too late');
    });
    const error = await failureOf(mesh.call('status', {}, { deadlineMs: 50 }));
    assert.is(error.code, 'timeout');
    assert.ok(error.retryable);
  }));

test('a node that answers at the very end of its time is still heard', () =>
  withServer({}, async ({ fake, url }) => {
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    const given: number[] = [];
    fake.on('status', async (_input, { deadlineMs }) => {
      given.push(deadlineMs ?? 0);
      await new Promise((resolve) => setTimeout(resolve, deadlineMs));
      throw new MeshError('peer_unreachable', 'The peer is silent.');
    });
    const error = await failureOf(mesh.call('status', { timeout_s: 0.1, remote_peer_id: peerId }));
    assert.equal([error.code, given], ['peer_unreachable', [100]]);
  }));

test('a node that dies while a call waits for it is noticed at once', async () => {
  for (const died of [true, false]) {
    await using node = await streamingNode();
    await using mesh = createHttpMesh({ url: node.url, version: '0.0.0' });
    const running = failureOf(mesh.call('wait', { task_id: taskId }));
    await node.waiting;
    node.end(died);
    const error = await running;
    assert.equal([error.code, error.retryable], ['mesh_down', true]);
    assert.match(error.message, 'went away before it answered');
  }
});

test('a node that stays silent is given up after three missing signs of life', async () => {
  await using node = await streamingNode();
  const clock = new FakeClock();
  await using mesh = createHttpMesh({ url: node.url, version: '0.0.0', clock });
  const running = failureOf(mesh.call('wait', { task_id: taskId }));
  await node.waiting;
  while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(44_999);
  clock.advance(1);
  assert.match((await running).message, 'said nothing for 45 s');
  await node.closed;
});

test('giving up is possible while a frozen node lets the connection wait', async () => {
  const server = createServer(() => asked.resolve());
  const asked = Promise.withResolvers<void>();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const controller = new AbortController();
  const mesh = createHttpMesh({ url, version: '0.0.0' });
  const running = failureOf(mesh.call('status', {}, { signal: controller.signal }));
  await asked.promise;
  controller.abort();
  assert.is((await running).code, 'cancelled');
  await mesh[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

test('no node at the address is mesh_down, and says what to do', async () => {
  const url = `http://127.0.0.1:${await freePort()}/mcp`;
  await using mesh = createHttpMesh({ url, version: '0.0.0' });
  const error = await failureOf(mesh.call('status', {}));
  assert.is(error.code, 'mesh_down');
  assert.ok(error.retryable);
  assert.match(error.message, `No node answers at ${url}. Start one with "npx taskmesh serve"`);
});

test('something else at the address is told apart from no node', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end('nothing here'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    await using mesh = createHttpMesh({ url, version: '0.0.0' });
    assert.match((await failureOf(mesh.call('status', {}))).message, 'is not a taskmesh node');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('after the node was away the same mesh goes on', async () => {
  let url = '';
  await withServer({}, async (served) => {
    url = served.url;
  });
  await using mesh = createHttpMesh({ url, version: '0.0.0' });
  assert.is((await failureOf(mesh.call('status', {}))).code, 'mesh_down');
  const { createApp } = await import('../../src/server/app.ts');
  const { listen } = await import('../../src/server/listen.ts');
  const { FakeMesh } = await import('../server/fake-mesh.ts');
  const port = Number(new URL(url).port);
  for (let start = 1; start <= 2; start++) {
    const app = createApp(new FakeMesh().mesh, { version: '0', ready: () => ({ ready: true }) });
    const listener = await listen(app, { host: '127.0.0.1', port });
    assert.is((await mesh.call('status', {})).version, '0.0.0', `start ${start}`);
    await listener.close();
    assert.is((await failureOf(mesh.call('status', {}))).code, 'mesh_down');
  }
});

test('the command line asks the node at --url', () =>
  withServer({}, async ({ fake, url }) => {
    const { run } = shell();
    const said = await run('submit', 'text.stats', '{"text":"a"}', '--wait', '--url', url, '--json');
    assert.is(said.stderr, '');
    assert.is(said.exitCode, 0);
    assert.is(JSON.parse(said.stdout).task.status, 'completed');
    assert.equal(
      fake.calls.map(({ name }) => name),
      ['submit', 'wait'],
    );
  }));

interface StreamingNode extends AsyncDisposable {
  readonly url: string;
  /** A call's stream is open. */
  readonly waiting: Promise<void>;
  /** That stream is closed. */
  readonly closed: Promise<void>;
  /** Ends it: as a process that dies does, or properly. */
  end(died: boolean): void;
}

/** Speaks as much MCP as it takes to get a call, and opens a stream for the answer. */
async function streamingNode(): Promise<StreamingNode> {
  const waiting = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  let stream: ServerResponse | undefined;
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const message = (await json(request)) as { id?: number; method?: string };
    if (message.method === 'tools/call') {
      stream = response;
      response.once('close', closed.resolve);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': here\n\n', () => waiting.resolve());
      return;
    }
    const result = {
      protocolVersion: '2025-06-18',
      capabilities: { tools: {} },
      serverInfo: { name: 'taskmesh', version: '0' },
    };
    const answer =
      message.method === 'initialize' ? { result } : { error: { code: -32601, message: 'no such method' } };
    if (message.id === undefined) response.writeHead(202).end();
    else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    waiting: waiting.promise,
    closed: closed.promise,
    end: (died) => (died ? stream?.socket?.resetAndDestroy() : stream?.end()),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

test.run();
