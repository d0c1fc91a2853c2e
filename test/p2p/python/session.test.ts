import * as assert from 'uvu/assert';
import { clientCapabilitiesKey, protocolVersionKey } from '../../../src/p2p/carriage.ts';
import { float } from '../../../src/p2p/python/json.ts';
import { callMessage, initializeMessage } from '../../../src/p2p/python/messages.ts';
import { p2pMessage } from '../../../src/p2p/python/p2p-message.ts';
import { suite } from '../../tooling/suite.ts';
import { type RawHost, rawHost } from '../support.ts';
import {
  askLine,
  lineOf,
  openSession,
  type PythonNode,
  type RawSession,
  rawSession,
  rpc,
  startListening,
  token,
} from './support.ts';
import vectors from './vectors.json' with { type: 'json' };

interface Scene {
  node: PythonNode;
  host: RawHost;
}

const test = suite<Scene>('the session that Python nodes speak');

test.before(async (scene) => {
  scene.node = await startListening({ legacy: true }, [{ limits: { frameDeadlineMs: 300, pythonIdleMs: 5_000 } }]);
  scene.host = await rawHost([]);
});

test.after(async ({ node, host }) => {
  await host.stop();
  await node[Symbol.asyncDispose]();
});

const hex = (text: string | undefined): Uint8Array => Buffer.from(text ?? '', 'hex');

/** Expects a refusal, and whether the stream ends with it. */
async function refused(session: RawSession, answer: unknown, id: unknown, code: number, message: string) {
  assert.equal(answer, { jsonrpc: '2.0', id, error: { code, message } });
  await session.ended;
  assert.is(await session.text(), undefined, 'nothing comes after it');
}

test('a Python client’s very bytes are answered: initialize, then a call with the same id', async ({ node, host }) => {
  const session = await rawSession(host, node.pythonAddress);
  session.bytes(hex(vectors.u32_frames[0]?.frame_hex));
  const { jsonrpc, id, result } = await session.next();
  assert.equal([jsonrpc, id, result.protocolVersion, result.transport], ['2.0', 1, '2024-11-05', '/mcp+p2p/1.0.0']);
  assert.equal(result.server, { peer_id: node.peerId });
  assert.equal(result.limits, {
    max_frame_bytes: 1_048_576,
    max_frames: 128,
    rate_capacity: 128,
    rate_refill_per_sec: 128,
  });
  session.send(rpc('status', { timeout_s: 10, detail: false }));
  const called = await session.next();
  assert.equal([called.id, called.result.content.ok, called.result.content.peer_id], [1, true, node.peerId]);
  assert.equal(Object.keys(called), ['jsonrpc', 'id', 'result']);
  await session.stream.close();
  await session.ended;
});

test('the token of the vectors is not ours: unauthorized, and the end', async ({ node, host }) => {
  const session = await openSession(host, node.pythonAddress);
  session.bytes(hex(vectors.u32_frames[1]?.frame_hex));
  await refused(session, await session.next(), 1, -32001, 'unauthorized');
});

test('the refusal of a frame that is too long is the vector’s, byte for byte', async ({ node, host }) => {
  const session = await rawSession(host, node.pythonAddress);
  session.bytes(Uint8Array.of(0, 0x10, 0, 1));
  const text = await session.text();
  assert.is(text, hex(vectors.u32_frames[3]?.frame_hex).subarray(4).toString());
  await session.ended;
});

const broken: [what: string, bytes: Uint8Array, word: string][] = [
  ['a frame of length 0', Uint8Array.of(0, 0, 0, 0), 'invalid_message'],
  ['bytes that are no JSON', Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7b), 'invalid_json'],
  ['bytes that are no UTF-8', Uint8Array.of(0, 0, 0, 3, 0x22, 0xff, 0x22), 'invalid_json'],
  ['JSON that is no object', Uint8Array.of(0, 0, 0, 2, 0x5b, 0x5d), 'invalid_message'],
  ['half a frame, and then nothing', Uint8Array.of(0, 0, 0, 9, 0x7b), 'invalid_message'],
];
for (const [what, bytes, word] of broken)
  test(`${what}: ${word} with id null, and the end`, async ({ node, host }) => {
    const session = await rawSession(host, node.pythonAddress);
    session.bytes(bytes);
    await refused(session, await session.next(), null, -32003, word);
  });

test('NaN is refused with the word that was found, on both protocols', async ({ node, host }) => {
  const session = await rawSession(host, node.pythonAddress);
  session.bytes(Uint8Array.of(0, 0, 0, 9, ...Buffer.from('{"a":NaN}')));
  const { id, error } = await session.next();
  assert.equal([id, error.code, error.message], [null, -32003, 'invalid_json']);
  assert.match(error.data?.detail ?? '', /^NaN is not JSON/);
  await session.ended;
  const line = await askLine(host, node.pythonAddress, '{"op": "submit", "payload": [-Infinity]}\n');
  assert.equal([line.ok, line.error], [false, 'invalid_json']);
  assert.match(String(line.detail), /^-Infinity is not JSON/);
});

test('a call before initialize, and what is no JSON-RPC, end the stream', async ({ node, host }) => {
  const early = await rawSession(host, node.pythonAddress);
  await refused(early, await early.asked(rpc('status')), 1, -32000, 'init_required');
  const wrong = await rawSession(host, node.pythonAddress);
  await refused(
    wrong,
    await wrong.asked({ jsonrpc: '1.0', id: 7, method: 'initialize' }),
    7,
    -32600,
    'invalid_jsonrpc',
  );
  const methodless = await rawSession(host, node.pythonAddress);
  await refused(methodless, await methodless.asked({ jsonrpc: '2.0', id: 'x' }), 'x', -32600, 'invalid_jsonrpc');
});

test('what only one call got wrong is refused, and the stream goes on', async ({ node, host }) => {
  const session = await openSession(host, node.pythonAddress);
  const call = (params: unknown) => session.asked({ jsonrpc: '2.0', id: 5, method: 'tools/call', params });
  const error = async (answer: Promise<{ error: unknown }>) => (await answer).error;
  assert.equal(await error(call([])), { code: -32602, message: 'invalid_params' });
  assert.equal(await error(call({ arguments: {} })), { code: -32602, message: 'invalid_params' });
  assert.equal(await error(call({ name: 'other', arguments: {} })), { code: -32002, message: 'unknown_tool' });
  const name = 'task_queue.rpc';
  assert.equal(await error(call({ name, arguments: 'op' })), { code: -32002, message: 'invalid_params' });
  const huge = { op: 'submit', payload: { n: float(1) }, token };
  assert.ok((await call({ name, arguments: huge })).result.content.ok);
  const ping = await session.asked({ jsonrpc: '2.0', id: 6, method: 'ping' });
  assert.equal(ping.error, { code: -32601, message: 'method_not_found' });
  session.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  const { result } = await session.asked({ jsonrpc: '2.0', id: 7, method: 'tools/list' });
  assert.equal(
    result.tools.map((tool: { name: string }) => tool.name),
    [name],
  );
  session.stream.abort(new Error('done'));
});

test('a number that would become another one is refused with the call’s id, and nothing is stored', async (scene) => {
  const session = await openSession(scene.host, scene.node.pythonAddress);
  const text = JSON.stringify(rpc('submit', { task_type: 'huge', payload: { seed: 0 } }));
  const body = Buffer.from(text.replace('"seed":0', '"seed":9007199254740993'));
  session.bytes(Buffer.concat([Uint8Array.of(0, 0, 0, body.length), body]));
  const { error } = await session.next();
  assert.equal([error.code, error.message], [-32602, 'invalid_params']);
  assert.match(error.data?.detail ?? '', /^The number 9007199254740993 /);
  const { result } = await session.asked(rpc('list', { task_types: ['huge'] }));
  assert.equal(result.content.tasks, []);
  session.stream.abort(new Error('done'));
});

test('128 frames are served on a stream; frame 129 is one too many', async ({ node, host }) => {
  const session = await openSession(host, node.pythonAddress);
  for (let frame = 2; frame <= 128; frame++) {
    const { result } = await session.asked(callMessage(1, { op: 'peer.heartbeat', peer: 'w', token }));
    assert.ok(result?.content.ok, `frame ${frame}`);
  }
  await refused(session, await session.asked(rpc('status')), 1, -32010, 'rate_limited');
});

test('requests that come together are answered one after the other, in order', async ({ node, host }) => {
  const session = await openSession(host, node.pythonAddress);
  for (const id of [11, 12, 13]) session.send(callMessage(id, { op: 'status', token }));
  const ids = [await session.next(), await session.next(), await session.next()].map(({ id }) => id);
  assert.equal(ids, [11, 12, 13]);
  session.stream.abort(new Error('done'));
});

const envelope = { [protocolVersionKey]: '2026-07-28', [clientCapabilitiesKey]: {} };

test('the sessionless binding is told apart by the first request', async ({ node, host }) => {
  const session = await rawSession(host, node.pythonAddress);
  const discover = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: envelope } };
  assert.equal((await session.asked(discover)).result.supportedVersions, ['2026-07-28']);
  assert.is((await session.asked(initializeMessage())).error.code, -32601);
  const params = { name: 'task_queue.rpc', arguments: { op: 'status', token }, _meta: envelope };
  const { result } = await session.asked({ jsonrpc: '2.0', id: 2, method: 'tools/call', params });
  assert.equal([result.resultType, result.isError, result.structuredContent.ok], ['complete', false, true]);
  session.stream.abort(new Error('done'));
});

test('a message with a type needs no session; its sender is not believed, and its token is', async ({ node, host }) => {
  const fields = { type: 'request', id: 'x_1', result: null, error: null, sender: node.peerId, timestamp: 1 } as const;
  const session = await rawSession(host, node.pythonAddress);
  session.bytes(hex(vectors.p2pmessage_frames[0]?.frame_hex));
  const unknown = await session.next();
  assert.equal(
    [unknown.type, unknown.id, unknown.error, unknown.sender],
    ['response', 'x_1', 'method_not_found', node.peerId],
  );
  const params = { op: 'status', token };
  const known = await session.asked(p2pMessage({ ...fields, method: 'task_queue.rpc', params }));
  assert.equal([known.error, known.result.ok], [null, true]);
  session.send(p2pMessage({ ...fields, type: 'event', method: 'task_queue.rpc', params }));
  const bare = await session.asked(p2pMessage({ ...fields, method: 'task_queue.rpc', params: { op: 'status' } }));
  assert.equal([bare.error, bare.result], ['unauthorized', null]);
  await session.ended;
});

test('the older protocol: a line in, a line out, the end', async ({ node, host }) => {
  const ask = (line: string) => askLine(host, node.pythonAddress, line);
  const status = await ask(lineOf({ op: ' Status ', token }));
  assert.equal([status.ok, status.peer_id], [true, node.peerId]);
  assert.equal(await ask(lineOf({ op: 'status' })), { ok: false, error: 'unauthorized', peer_id: node.peerId });
  for (const [line, error] of [
    ['{]\n', 'invalid_json'],
    ['[]\n', 'invalid_message'],
    [`${lineOf({ op: 'status', token })}x`, 'invalid_json'],
    [`${'x'.repeat(1_048_577)}`, 'frame_too_large'],
    ['{"op"', 'invalid_message'],
  ] as const)
    assert.equal(await ask(line), { ok: false, error, peer_id: node.peerId }, error);
});

test('without the setting the older protocol is not spoken', async ({ host }) => {
  await using node = await startListening();
  try {
    await askLine(host, node.pythonAddress, lineOf({ op: 'status', token }));
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).name, 'UnsupportedProtocolError');
  }
});

test('the mesh’s own protocols are not served to Python nodes', async ({ node, host }) => {
  const session = await rawSession(host, node.pythonAddress);
  const params = { name: 'p2p_taskqueue_status', arguments: {}, _meta: envelope };
  const answer = await session.asked({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  assert.equal(answer.error, { code: -32002, message: 'unknown_tool' });
  session.stream.abort(new Error('done'));
});

test('an address that guesses tokens is refused for a while, even with the right one', async ({ host }) => {
  await using node = await startListening();
  for (let guess = 0; guess < 11; guess++) {
    const session = await openSession(host, node.pythonAddress);
    assert.is((await session.asked(rpc('status', {}, `guess-${guess}`))).error.message, 'unauthorized');
  }
  const session = await openSession(host, node.pythonAddress);
  assert.is((await session.asked(rpc('status'))).error.message, 'unauthorized');
});

test.run();
