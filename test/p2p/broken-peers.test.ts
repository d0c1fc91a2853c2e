import * as assert from 'uvu/assert';
import { carriageProtocol } from '../../src/p2p/carriage.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import {
  failureOf,
  RawCarriage,
  type RawHost,
  rawCarriage,
  rawHost,
  request,
  startNode,
  type TestNode,
  until,
} from './support.ts';

interface Scene {
  node: TestNode;
  stranger: RawHost;
}

const broken = suite<Scene>('peers that break the rules');

broken.before(async (scene) => {
  scene.node = await startNode({ limits: { maxFrameBytes: 100_000, frameDeadlineMs: 200, maxStreamsPerPeer: 4 } });
  scene.stranger = await rawHost([]);
});

broken.after(async ({ node, stranger }) => {
  await stranger.stop();
  await node[Symbol.asyncDispose]();
});

/** After each trouble the node must serve others, and this very peer on a new stream. */
async function servesOn({ node, stranger }: Scene): Promise<void> {
  const other = await startNode();
  try {
    assert.is((await other.mesh.call('status', { remote_multiaddr: node.address })).peer_id, node.peerId);
  } finally {
    await other[Symbol.asyncDispose]();
  }
  const carriage = await rawCarriage(stranger, node.address);
  const answer = await carriage.request('server/discover');
  assert.equal(answer?.result?.supportedVersions, ['2026-07-28']);
  carriage.stream.abort(new Error('done'));
}

const troubles: [name: string, bytes: Uint8Array, word: string][] = [
  ['a frame that announces 4 GiB', Uint8Array.of(0xff, 0xff, 0xff, 0xff), 'frame_too_large'],
  ['a frame one byte over the limit', Uint8Array.of(0, 1, 0x86, 0xa1), 'frame_too_large'],
  ['a frame of length 0', Uint8Array.of(0, 0, 0, 0), 'invalid_message'],
  ['half a frame, and then nothing', Uint8Array.of(0, 0, 0, 10, 0x7b), 'invalid_message'],
  ['half a header, and then nothing', Uint8Array.of(0, 0), 'invalid_message'],
  ['bytes that are no JSON', Uint8Array.of(0, 0, 0, 3, 1, 2, 3), 'invalid_json'],
  ['JSON that is no message', Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7d), 'invalid_message'],
  ['JSON that is no object', Uint8Array.of(0, 0, 0, 1, 0x31), 'invalid_message'],
  ['a page of HTTP', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'frame_too_large'],
];

for (const [name, bytes, word] of troubles) {
  broken(`${name} is answered with ${word}, then the stream is closed`, async (scene) => {
    const carriage = await rawCarriage(scene.stranger, scene.node.address);
    carriage.bytes(bytes);
    const answer = await carriage.next();
    assert.is(answer?.id, null);
    assert.equal([answer?.error?.code, answer?.error?.message], [-32003, word]);
    await carriage.closed;
    assert.is(await carriage.next(), undefined, 'nothing comes after it');
    carriage.stream.abort(new Error('done'));
    await servesOn(scene);
  });
}

broken('65 levels of nesting are refused as an answer, and the stream goes on', async ({ node, stranger }) => {
  const carriage = await rawCarriage(stranger, node.address);
  const payload = JSON.parse(`${'['.repeat(65)}${']'.repeat(65)}`);
  const answer = await carriage.request('tools/call', { name: 'p2p_taskqueue_submit', arguments: { payload } });
  const { isError, structuredContent } = answer?.result ?? {};
  assert.equal([isError, structuredContent?.error], [true, 'too_deep']);
  const next = await carriage.request('tools/call', { name: 'p2p_taskqueue_status' });
  assert.is(next?.result?.resultType, 'complete');
  carriage.stream.abort(new Error('done'));
});

broken('what peers may not ask is refused by code', async ({ node, stranger }) => {
  const carriage = await rawCarriage(stranger, node.address);
  const codeOf = async (method: string, params = {}): Promise<unknown> =>
    (await carriage.request(method, params))?.error?.code;
  assert.is(await codeOf('initialize', { clientInfo: { name: 'x', version: '1' } }), -32601);
  assert.is(await codeOf('ping'), -32601);
  // Told as if there were one: whoever may not call a tool does not learn whether there is.
  const unknown = await carriage.request('tools/call', { name: 'no_such_tool' });
  assert.is(unknown?.result?.structuredContent?.error, 'unauthorized');
  assert.is(await codeOf('tools/call', { name: 'x'.repeat(1000) }), -32602);
  for (const name of ['connect_peer', 'discover_peers', 'list_peers']) {
    assert.is(await codeOf('tools/call', { name, arguments: {} }), -32602, name);
  }
  carriage.send({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'p2p_taskqueue_status' } });
  assert.is((await carriage.next())?.error?.code, -32602, 'no envelope');
  const listed = (await carriage.request('tools/list'))?.result?.tools ?? [];
  const names = listed.map(({ name }) => name);
  assert.ok(names.includes('p2p_taskqueue_claim_next') && !names.includes('connect_peer'));
  carriage.stream.abort(new Error('done'));
});

broken('a peer’s call is never handed on to another node', async ({ node, stranger }) => {
  await using other = await startNode();
  await node.mesh.call('connect', { remote_multiaddr: other.address });
  const { task_id } = await other.mesh.call('submit', { task_type: 'foreign' });
  const carriage = await rawCarriage(stranger, node.address);
  const call = async (name: string, args: object) =>
    (await carriage.request('tools/call', { name, arguments: args }))?.result?.structuredContent;
  assert.is((await call('p2p_taskqueue_get_task', { task_id }))?.error, 'task_not_found');
  assert.is((await call('p2p_taskqueue_status', { remote_peer_id: other.peerId }))?.error, 'invalid_params');
  assert.equal(await call('p2p_taskqueue_claim_next', { supported_task_types: ['foreign'] }), { ok: true, task: null });
  carriage.stream.abort(new Error('done'));
});

broken('answers may overtake each other, and a repeated id is no reason to refuse', async ({ node, stranger }) => {
  const carriage = await rawCarriage(stranger, node.address);
  carriage.send(request('tools/call', { name: 'p2p_taskqueue_claim_next', arguments: { wait_s: 0.2 } }));
  carriage.send(request('tools/call', { name: 'p2p_taskqueue_status', arguments: {} }));
  const first = (await carriage.next())?.result?.structuredContent;
  assert.is(first?.peer_id, node.peerId);
  const second = (await carriage.next())?.result?.structuredContent;
  assert.equal(second, { ok: true, task: null });
  carriage.stream.abort(new Error('done'));
});

broken('who ends its half of the stream still gets its answers, then the stream closes', async ({ node, stranger }) => {
  const carriage = await rawCarriage(stranger, node.address);
  carriage.send(request('tools/call', { name: 'p2p_taskqueue_claim_next', arguments: { wait_s: 0.1 } }));
  await carriage.stream.close();
  const answer = (await carriage.next())?.result?.structuredContent;
  assert.equal(answer, { ok: true, task: null });
  await carriage.closed;
});

broken('one peer may hold only so many streams', async ({ node, stranger }) => {
  const carriages = [];
  for (let index = 0; index < 4; index++) {
    const carriage = await rawCarriage(stranger, node.address);
    await carriage.request('server/discover');
    carriages.push(carriage);
  }
  const refused = await rawCarriage(stranger, node.address)
    .then((carriage) => carriage.request('server/discover'))
    .catch(() => undefined);
  assert.is(refused, undefined);
  for (const carriage of carriages) {
    assert.ok((await carriage.request('server/discover'))?.result, 'the others go on');
    carriage.stream.abort(new Error('done'));
  }
});

broken('a peer that sends too much is told so, and served again later', async () => {
  // Time stands still: nothing of the rate comes back while it is asked.
  const limits = { peerRequestsPerSecond: 1, peerRequestBurst: 3 };
  await using node = await startNode({ limits }, { clock: new FakeClock() });
  await using asker = await startNode();
  const ask = (): Promise<unknown> => asker.mesh.call('status', { remote_multiaddr: node.address });
  for (let index = 0; index < 3; index++) await ask();
  const error = await failureOf(ask());
  assert.equal([error.code, error.retryable], ['rate_limited', true]);
});

broken('a peer that accepts and never answers gives a timeout at the deadline', async () => {
  await using silent = await rawHost();
  await silent.handle(carriageProtocol, () => {});
  const clock = new FakeClock();
  await using node = await startNode({}, { clock });
  const address = silent.getMultiaddrs()[0]?.toString() ?? '';
  const failed = failureOf(node.mesh.call('status', { remote_multiaddr: address }, { deadlineMs: 300 }));
  await until(() => node.node.carriageStreams()[silent.peerId.toString()] === 1);
  clock.advance(300);
  assert.is((await failed).code, 'timeout');
});

broken('a peer that speaks another protocol is named as such', async () => {
  await using other = await rawHost();
  await using node = await startNode();
  const address = other.getMultiaddrs()[0]?.toString() ?? '';
  assert.is((await failureOf(node.mesh.call('status', { remote_multiaddr: address }))).code, 'peer_protocol_error');
});

broken('an answer that is no tool result is the peer’s fault, and named as such', async () => {
  await using liar = await rawHost();
  await liar.handle(carriageProtocol, async (stream) => {
    const carriage = new RawCarriage(stream);
    for (let asked = await carriage.next(); asked !== undefined; asked = await carriage.next()) {
      carriage.send({ jsonrpc: '2.0', id: asked.id ?? null, result: { content: [] } });
    }
  });
  await using node = await startNode();
  const address = liar.getMultiaddrs()[0]?.toString() ?? '';
  assert.is((await failureOf(node.mesh.call('status', { remote_multiaddr: address }))).code, 'peer_protocol_error');
});

broken.run();
