/** The P2P service's HTTP side as curl and scripts see it: raw requests, a scripted node behind them. */

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { listenHttp } from '../../src/bridge/far-side/listen-http.ts';
import type { RpcListener } from '../../src/bridge/far-side/rpc-listener.ts';
import { serveChannel } from '../../src/bridge/far-side/serve-channel.ts';
import { hello, spoken } from '../../src/bridge/protocol.ts';
import { checked } from '../../src/mesh/checked.ts';
import { defaultLimits, type Limits } from '../../src/mesh/limits.ts';
import { errorCode } from '../support/error-code.ts';
import { suite } from '../tooling/suite.ts';
import { scriptedNode } from './far-side/scripted-node.ts';
import { token } from './ways-across.ts';

const test = suite('the service by HTTP');

interface Served extends AsyncDisposable {
  port: number;
  listener: RpcListener;
  ask(ask: Ask): Promise<{ status: number | undefined; headers: IncomingMessage['headers']; body: string }>;
  /** The JSON in an answer's body, with the status. */
  json(ask: Ask): Promise<[status: number | undefined, body: { [key: string]: unknown } | undefined]>;
}

interface Ask {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

const bearer = { authorization: `Bearer ${token}` };

async function serve(limits: Partial<Limits> = {}): Promise<Served> {
  const all = { ...defaultLimits, ...limits };
  const node = scriptedNode();
  const listener = await listenHttp(
    { kind: 'http', host: '127.0.0.1', port: 0 },
    {
      token,
      mesh: checked(node, all),
      limits: all,
      serve: (channel) => void serveChannel(channel, { node: () => node, limits: all }),
    },
  );
  const { port } = listener.address as { port: number };
  const ask: Served['ask'] = ({ method = 'POST', path = '/rpc', headers = bearer, body = '' }) =>
    new Promise((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port, method, path, headers }, async (answer) => {
        let text = '';
        for await (const piece of answer) text += piece;
        resolve({ status: answer.statusCode, headers: answer.headers, body: text });
      });
      asking.on('error', reject);
      asking.end(body);
    });
  return {
    port,
    listener,
    ask,
    async json(asked) {
      const { status, body } = await ask(asked);
      return [status, body === '' ? undefined : JSON.parse(body)];
    },
    async [Symbol.asyncDispose]() {
      listener.stopAccepting();
      await listener.close();
    },
  };
}

/** Opens a session by hand. */
function session({ port }: Served): Promise<{ id: string; stream: IncomingMessage; lines: AsyncIterator<string> }> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path: '/rpc', headers: bearer }, (stream) => {
      resolve({ id: String(stream.headers['taskmesh-session']), stream, lines: linesOf(stream) });
    });
    asking.on('error', reject);
    asking.end();
  });
}

async function* linesOf(stream: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of stream) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

const statusCall = JSON.stringify({
  jsonrpc: '2.0',
  id: 7,
  method: 'cache_set',
  params: { input: { key: 'echo', value: 1 } },
});

test('one JSON-RPC request is answered by one response', async () => {
  await using served = await serve();
  assert.equal(await served.json({ body: statusCall }), [
    200,
    { jsonrpc: '2.0', id: 7, result: { key: 'echo', hit: true, value: 1 } },
  ]);
});

test('an operation by its name is answered as its tool would', async () => {
  await using served = await serve();
  const path = '/rpc/cache_set';
  assert.equal(await served.json({ path, body: '{"key":"echo","value":[2]}' }), [
    200,
    { ok: true, key: 'echo', hit: true, value: [2] },
  ]);
  const [status, failure] = await served.json({ path, body: '{"key":"refuse","value":0}' });
  assert.equal([status, failure?.error, failure?.retryable], [503, 'queue_full', true]);
});

test('no body at all is an input without fields, however its length was told', async () => {
  await using served = await serve();
  const path = '/rpc/cache_set';
  // Not `invalid_json`: it is the fields that are missing.
  for (const headers of [bearer, { ...bearer, 'transfer-encoding': 'chunked' }])
    assert.is((await served.json({ path, headers }))[1]?.error, 'invalid_params');
});

for (const [what, asked, status, code] of [
  ['no token', { headers: {} }, 401, 'unauthorized'],
  ['a wrong token', { headers: { authorization: `Bearer ${token}x` } }, 401, 'unauthorized'],
  ['another host’s name', { headers: { ...bearer, host: 'evil.example' } }, 401, 'unauthorized'],
  ['a web page', { headers: { ...bearer, origin: 'http://localhost:8080' } }, 401, 'unauthorized'],
  ['a session without a token', { method: 'GET', headers: {} }, 401, 'unauthorized'],
  ['another path', { path: '/mcp' }, 404, 'unknown_operation'],
  ['an operation that is none', { path: '/rpc/nope', body: '{}' }, 404, 'unknown_operation'],
  ['an operation whose name cannot be decoded', { path: '/rpc/%E0%A4%A', body: '{}' }, 404, 'unknown_operation'],
  ['another method', { method: 'DELETE' }, 400, 'invalid_message'],
  ['an input that does not fit', { path: '/rpc/get', body: '{"task_id":3}' }, 400, 'invalid_params'],
  ['a body that is no JSON', { path: '/rpc/get', body: '{' }, 400, 'invalid_json'],
  ['a body that is too large', { path: '/rpc/get', body: `"${'x'.repeat(5 << 20)}"` }, 413, 'payload_too_large'],
  [
    'a body of unknown length that turns out too large',
    { path: '/rpc/get', headers: { ...bearer, 'transfer-encoding': 'chunked' }, body: `"${'x'.repeat(5 << 20)}"` },
    413,
    'payload_too_large',
  ],
  ['a session that is none', { headers: { ...bearer, 'taskmesh-session': 'x' } }, 400, 'invalid_message'],
] as const satisfies [string, Ask, number, string][]) {
  test(`${what} is refused with ${status} ${code}`, async () => {
    await using served = await serve();
    const [given, failure] = await served.json(asked);
    assert.equal([given, failure?.ok, failure?.error], [status, false, code]);
  });
}

for (const [what, body, code, id] of [
  ['no request', '[]', 'invalid_message', null],
  ['a notification', '{"jsonrpc":"2.0","method":"status"}', 'invalid_message', null],
  ['a verb of the bridge', '{"jsonrpc":"2.0","id":1,"method":"bridge/stop"}', 'unknown_operation', 1],
] as const) {
  test(`${what} for a body of /rpc is answered with ${code}`, async () => {
    await using served = await serve();
    const { id: given, error } = JSON.parse((await served.ask({ body })).body);
    assert.equal([given, error.data.error], [id, code]);
  });
}

test('a client that goes away takes its call with it', async () => {
  await using served = await serve();
  const path = '/rpc/cache_set';
  const asking = request({ host: '127.0.0.1', port: served.port, method: 'POST', path, headers: bearer });
  asking.on('error', () => {});
  asking.end('{"key":"wait","value":0}');
  const waiting = async (): Promise<unknown> =>
    (await served.json({ path, body: '{"key":"waiting","value":0}' }))[1]?.value;
  while ((await waiting()) !== 1);
  asking.destroy();
  while ((await waiting()) !== 0);
});

test('a session can be held by hand, line by line', async () => {
  await using served = await serve();
  const { id, stream, lines } = await session(served);
  const headers = { ...bearer, 'taskmesh-session': id };
  const first = { jsonrpc: '2.0', id: 1, method: 'bridge/hello', params: hello() };
  const { status } = await served.ask({ headers, body: `${JSON.stringify(first)}\n${statusCall}` });
  assert.is(status, 202);
  assert.is(JSON.parse((await lines.next()).value).result.protocol, spoken.newest);
  assert.equal(JSON.parse((await lines.next()).value).result.value, 1);
  stream.destroy();
});

/** Begins a `POST` whose body goes on. */
function beginBody({ port }: Served, path: string, id?: string): { body: ClientRequest; answer: Promise<string> } {
  const headers = { ...bearer, 'transfer-encoding': 'chunked', ...(id && { 'taskmesh-session': id }) };
  const body = request({ host: '127.0.0.1', port, method: 'POST', path, headers });
  const answer = new Promise<string>((resolve, reject) => {
    body.on('error', reject).once('response', async (answer: IncomingMessage) => {
      let text = String(answer.statusCode);
      for await (const piece of answer) text += piece;
      resolve(text);
    });
  });
  return { body, answer };
}

test('a session’s messages may come in one body, each taken as soon as its line is whole', async () => {
  await using served = await serve();
  const { id, stream, lines } = await session(served);
  const { body, answer } = beginBody(served, '/rpc', id);
  body.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'bridge/hello', params: hello() })}\n`);
  assert.is(JSON.parse((await lines.next()).value).result.protocol, spoken.newest);
  for (const call of [8, 9]) {
    body.write(`${statusCall.replace('"id":7', `"id":${call}`)}\n`);
    assert.is(JSON.parse((await lines.next()).value).id, call);
  }
  body.end();
  assert.is(await answer, '202');
  stream.destroy();
});

test('empty lines are passed over, wherever a piece of the body ends', async () => {
  await using served = await serve();
  const { id, stream, lines } = await session(served);
  const { body, answer } = beginBody(served, '/rpc', id);
  const first = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'bridge/hello', params: hello() });
  for (const piece of ['\n\n', `\n${first.slice(0, 20)}`, `${first.slice(20)}\n\n`, `\n\n${statusCall}\n`, '\n'])
    await new Promise((resolve) => body.write(piece, resolve));
  assert.is(JSON.parse((await lines.next()).value).id, 1);
  assert.is(JSON.parse((await lines.next()).value).id, 7);
  body.end();
  assert.is(await answer, '202');
  stream.destroy();
});

test('the bodies of a session end with it, also those in which nothing comes', async () => {
  await using served = await serve();
  const { id, stream } = await session(served);
  const bodies = ['', '{"half', '\n'].map((text) => {
    const begun = beginBody(served, '/rpc', id);
    begun.body.flushHeaders();
    if (text !== '') begun.body.write(text);
    return begun;
  });
  const fifth = [beginBody(served, '/rpc', id), beginBody(served, '/rpc', id)];
  for (const { body } of fifth) body.write('\n');
  assert.match(await Promise.race(fifth.map(({ answer }) => answer)), /^503.*"busy"/);
  const closed = bodies.map(({ body }) => new Promise((resolve) => body.once('close', resolve)));
  stream.destroy();
  for (const { answer } of bodies) assert.match(await answer, /^400.*The session has ended/);
  await Promise.all(closed);
  for (const { body, answer } of fifth) {
    answer.catch(() => {});
    body.destroy();
  }
});

test('a session that has ended is forgotten, also when nobody reads its last words', async () => {
  await using served = await serve();
  const { id, stream } = await session(served);
  stream.pause();
  const headers = { ...bearer, 'taskmesh-session': id };
  const lines: unknown[] = [{ jsonrpc: '2.0', id: 1, method: 'bridge/hello', params: hello() }];
  for (const letter of 'abcd')
    lines.push({ jsonrpc: '2.0', id: letter.repeat(4 << 20), method: 'bridge/ping', params: {} });
  for (const line of lines) await served.ask({ headers, body: `${JSON.stringify(line)}\n` });
  await served.ask({ headers, body: 'null\n' });
  const tooLate = beginBody(served, '/rpc', id);
  tooLate.body.flushHeaders();
  assert.match(await tooLate.answer, /^400.*session/);
  while (!(await served.ask({ headers, body: '' })).body.includes('There is no such session'));
  stream.on('error', () => {}).destroy();
});

test('a session whose line is never whole is ended, and says why', async () => {
  await using served = await serve({ frameDeadlineMs: 50 });
  const { id, lines } = await session(served);
  const { body, answer } = beginBody(served, '/rpc', id);
  body.write('{"jsonrpc":');
  const { error } = JSON.parse((await lines.next()).value);
  assert.match(error.message, 'A line was not complete after 50 ms.');
  assert.ok((await lines.next()).done);
  assert.match(await answer, /^400.*The session has ended/);
});

test('a body that comes too slowly is refused with timeout, and its connection ended', async () => {
  await using served = await serve({ bodyDeadlineMs: 50 });
  const { body, answer } = beginBody(served, '/rpc/get');
  const closed = new Promise((resolve) => body.once('close', resolve));
  body.write('{"task_id":');
  assert.match(await answer, /^504.*"timeout".*50 ms/);
  await closed;
});

test('more sessions than may be are refused as busy', async () => {
  await using served = await serve({ maxBridges: 1 });
  const { stream } = await session(served);
  const [status, failure] = await served.json({ method: 'GET' });
  assert.equal([status, failure?.error], [503, 'busy']);
  stream.destroy();
});

test('a session in which nothing is sent is ended', async () => {
  await using served = await serve({ bridgeIdleMs: 50 });
  const { stream, id } = await session(served);
  stream.resume();
  await new Promise((resolve) => stream.on('error', resolve).once('close', resolve));
  assert.is((await served.ask({ headers: { ...bearer, 'taskmesh-session': id } })).status, 400);
});

test('headers that come too slowly end the connection', async () => {
  await using served = await serve({ headersDeadlineMs: 100, bodyDeadlineMs: 200 });
  const socket = connect(served.port, '127.0.0.1');
  socket.write('POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\n');
  await new Promise((resolve) => socket.resume().on('error', resolve).once('close', resolve));
});

test('a port that is taken is refused with address_in_use', async () => {
  await using served = await serve();
  const again = listenHttp(served.listener.address as { kind: 'http'; host: '127.0.0.1'; port: number }, {
    token,
    mesh: checked(scriptedNode()),
    limits: defaultLimits,
    serve: () => {},
  });
  assert.is(await errorCode(again), 'address_in_use');
});

test.run();
