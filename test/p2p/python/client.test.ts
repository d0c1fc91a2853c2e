import * as assert from 'uvu/assert';
import { frameOf } from '../../../src/p2p/python/messages.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { failureOf, until } from '../support.ts';
import { type Double, startDouble } from './double.ts';
import { sceneSuite, token, userOf } from './scene.ts';
import { startListening } from './support.ts';

const test = sceneSuite('using a Python node');

test('it is asked in its own words: initialize once, then calls on the same stream, token last', async ({
  double,
  user: { node, at },
}) => {
  const before = double.streams.length;
  await node.mesh.call('call_tool', { tool_name: 't', args: { a: 1 }, timeout_s: 10, ...at });
  await node.mesh.call('cache_has', { key: 'é', ...at });
  assert.ok(double.streams.length - before <= 1, 'one stream serves both');
  const calls = double.heard.filter((text) => text.includes('tools/call')).map((text) => JSON.parse(text));
  assert.equal(calls[0].params, {
    name: 'task_queue.rpc',
    arguments: { op: 'call_tool', tool: 't', args: { a: 1 }, timeout_s: 10, token },
  });
  assert.ok(double.heard.some((text) => text.includes('"timeout_s":10.0,"token":"sekret"}}}')));
  assert.ok(double.heard.some((text) => text.includes('"key":"\\u00e9"')));
});

test('a task goes round, and its id names the Python node', async ({ double, user: { node, at } }) => {
  const { mesh } = node;
  const { task_id, status } = await mesh.call('submit', {
    task_type: 'text-generation',
    payload: { text: 'x' },
    priority: 9,
    idempotency_key: 'k',
    ...at,
  });
  assert.equal([task_id.slice(32), status], [`@${double.peerId}`, 'queued']);
  const local = task_id.slice(0, 32);
  assert.equal(double.tasks.get(local)?.payload, { text: 'x', priority: 9, idempotency_key: 'k' });
  const { task } = await mesh.call('claim', { worker_id: 'w1', supported_task_types: ['generation'], ...at });
  assert.equal([task?.task_id, task?.attempt, task?.priority, task?.assigned_worker], [task_id, 1, 9, 'w1']);
  assert.ok((task?.lease_s ?? 0) > 290 && (task?.lease_s ?? 0) <= 300);
  const lease = { task_id, fence: task?.fence ?? 0 };
  assert.is((await failureOf(mesh.call('complete', { task_id, fence: lease.fence + 1 }))).code, 'stale_fence');
  assert.is((await mesh.call('complete', { ...lease, result: { answer: 42 } })).status, 'completed');
  const waited = await mesh.call('wait', { task_id, timeout_s: 1 });
  assert.equal([waited.done, waited.task.result, 'payload' in waited.task], [true, { answer: 42 }, false]);
  assert.equal((await mesh.call('get', { task_id })).task.payload, { text: 'x', priority: 9, idempotency_key: 'k' });
  assert.is((await failureOf(mesh.call('complete', { ...lease, result: 'twice' }))).code, 'stale_fence');
  assert.equal(double.tasks.get(local)?.result, { answer: 42 }, 'Python would have taken it');
});

test('a claim is null while tasks are queued for another worker, and waits until it is its turn', async ({
  double,
  user: { node, at },
}) => {
  const claim = (wait_s: number) => node.mesh.call('claim', { worker_id: 'w1', wait_s, ...at });
  double.seen.add('another worker');
  // Which task is meant for whom is chance, by the task's id: there is one for the other worker sooner or later.
  do await node.mesh.call('submit', { payload: {}, ...at });
  while ((await claim(0)).task !== null);
  const asked = double.heard.length;
  const waiting = claim(20);
  await until(() => double.heard.length > asked);
  double.seen.delete('another worker');
  assert.ok((await waiting).task !== null);
});

test('a failed task, a released one, a cancelled one', async ({ double, user: { node, at } }) => {
  const { mesh } = node;
  const next = async () => {
    const { task_id } = await mesh.call('submit', { payload: {}, ...at });
    const { task } = await mesh.call('claim', { worker_id: 'w', ...at });
    return { row: () => double.tasks.get(task_id.slice(0, 32)), lease: { task_id, fence: task?.fence ?? 0 } };
  };
  const failing = await next();
  assert.is((await mesh.call('fail', { ...failing.lease, error: 'boom' })).status, 'failed');
  assert.equal([failing.row()?.status, failing.row()?.error], ['failed', 'boom']);
  const released = await next();
  assert.is((await mesh.call('release', { ...released.lease, reason: 'later' })).status, 'queued');
  assert.is((await mesh.call('cancel', { task_id: released.lease.task_id })).cancelled, true);
  assert.is((await mesh.call('cancel', { task_id: released.lease.task_id })).cancelled, false);
  assert.is((await failureOf(mesh.call('cancel', { task_id: failing.lease.task_id }))).code, 'wrong_state');
});

test('a lease ends 300 s after the claim, and a late result is not sent', async ({ double }) => {
  const clock = new FakeClock();
  await using user = await userOf(double.address, { clock });
  const { mesh } = user.node;
  const { task_id } = await mesh.call('submit', { payload: {}, ...user.at });
  const { task } = await mesh.call('claim', { worker_id: 'w', ...user.at });
  clock.advance(300_000);
  const late = await failureOf(mesh.call('complete', { task_id, fence: task?.fence ?? 0, result: 'late' }));
  assert.is(late.code, 'stale_fence');
  assert.is(double.tasks.get(task_id.slice(0, 32))?.status, 'running');
});

test('what Python nodes do not have is said so', async ({ user: { node, at } }) => {
  const { mesh } = node;
  const { task_id } = await mesh.call('submit', { payload: {}, ...at });
  const code = async (call: Promise<unknown>) => (await failureOf(call)).code;
  assert.is(await code(mesh.call('retry', { task_id })), 'unknown_operation');
  assert.is(await code(mesh.call('release', { task_id, fence: 1, delay_s: 5 })), 'unknown_operation');
  assert.is(await code(mesh.call('submit', { backoff_s: 5, ...at })), 'unknown_operation');
  assert.is(await code(mesh.call('submit', { payload: 'text', priority: 9, ...at })), 'invalid_params');
  assert.is(await code(mesh.call('get', { task_id: `${'a'.repeat(32)}${task_id.slice(32)}` })), 'task_not_found');
});

test('several tasks are submitted one after the other; what was accepted is told when one is refused', async ({
  double,
  user: { node, at },
}) => {
  const tasks = [{ payload: { n: 1 } }, { payload: { n: 2 } }, { payload: { n: 3 } }];
  assert.is((await node.mesh.call('submit_many', { tasks, ...at })).tasks.length, 3);
  let left = 2;
  double.script.set('submit', () =>
    left-- > 0 ? { ok: true, task_id: 'b'.repeat(32) } : { ok: false, error: 'internal_error', detail: 'disk' },
  );
  const refused = await failureOf(node.mesh.call('submit_many', { tasks, ...at }));
  assert.equal([refused.code, (refused.details as { accepted: string[] }).accepted.length], ['peer_protocol_error', 2]);
});

test('tools, cache, list and status are translated; what is not told is -1', async ({ double, user: { node, at } }) => {
  const { mesh } = node;
  await mesh.call('submit', { payload: { n: 1 }, ...at });
  assert.equal(await mesh.call('cache_get', { key: 'k', ...at }), { key: 'k', hit: true, value: [1, 'é'] });
  assert.equal(await mesh.call('cache_delete', { key: 'k', ...at }), { key: 'k', deleted: true });
  await mesh.call('cache_set', { key: 'k', value: 1, ...at });
  const { tasks, cursor } = await mesh.call('list', { ...at });
  assert.equal([tasks.length, tasks[0]?.payload, cursor], [1, undefined, null]);
  const { queue, peer_id, runtime, capabilities } = await mesh.call('status', at);
  assert.equal([queue.queued, queue.running, peer_id, runtime.name], [3, -1, double.peerId, 'python']);
  assert.equal(capabilities, { task_types: ['text-generation'], tools: [] });
});

test('it is meant by its address, with or without a peer id, by its peer id, and by its tasks', async ({
  double,
  user: { node, at },
}) => {
  const { mesh } = node;
  for (const target of [
    at,
    { remote_multiaddr: `${double.address}/p2p/${double.peerId}` },
    { remote_peer_id: double.peerId },
    { peer_id: double.peerId },
  ])
    assert.is((await mesh.call('status', target)).runtime.name, 'python');
  const elsewhere = `/ip4/127.0.0.1/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp`;
  await failureOf(mesh.call('status', { remote_multiaddr: elsewhere, timeout_s: 5 }));
});

test('more than 128 frames go over a second stream', async ({ double, user: { node, at } }) => {
  const before = double.streams.length;
  for (let call = 0; call < 140; call++) await node.mesh.call('cache_has', { key: 'k', ...at });
  assert.ok(double.streams.length - before >= 1 && double.streams.length - before <= 2);
});

test('requests at the same time go over several streams; none is lost', async ({ double, user: { node, at } }) => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => node.mesh.call('cache_get', { key: 'k', ...at })));
  assert.is(answers.length, 12);
  assert.ok(double.heard.filter((text) => text.includes('initialize')).length >= 2);
});

const odd: [what: string, answer: unknown, code: string][] = [
  ['NaN in an answer', 'NaN', 'peer_protocol_error'],
  ['a number beyond 2^53', '9007199254740993', 'peer_protocol_error'],
  ['a refusal in its own words', { ok: false, error: 'cache_disabled' }, 'unauthorized'],
  ['an answer that is no object', [1], 'peer_protocol_error'],
  ['a timeout of its own', { ok: false, error: 'timeout' }, 'timeout'],
];
for (const [what, answer, code] of odd)
  test(`${what}: ${code}, and the next call is served`, async ({ double, user: { node, at } }) => {
    double.script.set('cache.get', () => {
      if (typeof answer !== 'string') return answer;
      const frame = frameOf({ jsonrpc: '2.0', id: 0, result: { content: { ok: true, key: 'k', hit: true } } }, 1000);
      const text = Buffer.from(frame ?? [])
        .toString()
        .slice(4)
        .replace('"hit":true', `"hit":true,"value":${answer}`);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, Buffer.from(text)]);
    });
    assert.is((await failureOf(node.mesh.call('cache_get', { key: 'k', ...at }))).code, code);
    assert.is((await node.mesh.call('cache_has', { key: 'k', ...at })).hit, false);
  });

test('a wrong token is refused, and said so', async () => {
  await using double = await startDouble({ token: 'another' });
  await using user = await userOf(double.address);
  const refused = await failureOf(user.node.mesh.call('status', user.at));
  assert.is(refused.code, 'unauthorized');
  assert.not(refused.message.includes(token));
});

test('a claim whose caller gave up is given back when its task comes late', async ({ double, user: { node, at } }) => {
  const { task_id } = await node.mesh.call('submit', { payload: {}, ...at });
  const row = double.tasks.get(task_id.slice(0, 32));
  const held = Promise.withResolvers<void>();
  double.script.set('claim', () => {
    Object.assign(row ?? {}, { status: 'running' });
    held.resolve();
    return undefined;
  });
  const controller = new AbortController();
  const claim = failureOf(node.mesh.call('claim', { worker_id: 'w', ...at }, { signal: controller.signal }));
  await held.promise;
  controller.abort();
  assert.is((await claim).code, 'cancelled');
  const message = { jsonrpc: '2.0', id: lastId(double), result: { content: { ok: true, task: row } } };
  double.asking?.send(frameOf(message, 9999) ?? new Uint8Array());
  await until(() => row?.status === 'queued');
});

function lastId(double: Double): unknown {
  return JSON.parse(double.heard.at(-1) ?? '{}').id;
}

test('the older protocol is spoken with a node that has no other, when that is allowed', async () => {
  await using double = await startDouble({ token, legacyOnly: true });
  await using strict = await userOf(double.address);
  assert.is((await failureOf(strict.node.mesh.call('status', strict.at))).code, 'peer_protocol_error');
  await using user = await userOf(double.address, { python: { legacy: true } });
  const { task_id } = await user.node.mesh.call('submit', { payload: { text: 'é' }, ...user.at });
  assert.is((await user.node.mesh.call('get', { task_id })).task.status, 'queued');
  assert.match(double.heard[0] ?? '', /^\{"op":"submit",.*"text":"\\u00e9".*"token":"sekret"\}\n$/);
});

test('a node that starts again has a new identity; its place, its announce file and its earlier tasks still lead to it', async () => {
  await using folder = await tempFolder();
  const file = folder.file('python.json');
  const first = await startDouble({ token });
  await first.announce(file);
  await using user = await userOf(file);
  const { mesh } = user.node;
  await until(async () => (await mesh.call('status', { remote_peer_id: first.peerId })).runtime.name === 'python');
  const { task_id } = await mesh.call('submit', { payload: {}, remote_peer_id: first.peerId });
  await first[Symbol.asyncDispose]();
  await using second = await startDouble({ token });
  for (const [id, row] of first.tasks) second.tasks.set(id, row);
  await second.announce(file);
  // The first call may still meet the stream of the node that is gone; nothing is asked twice by itself.
  const status = () => mesh.call('status', { remote_peer_id: second.peerId });
  assert.is((await status().catch(status)).peer_id, second.peerId);
  assert.is((await mesh.call('get', { task_id })).task.task_id, task_id);
  const found = await mesh.call('status', { remote_multiaddr: `${second.address}/p2p/${second.peerId}` });
  assert.equal(found.addresses, [`${second.address}/p2p/${second.peerId}`]);
});

test('a new identity is found in the announce file at once, whoever else was looked for a moment ago', async () => {
  await using folder = await tempFolder();
  const file = folder.file('python.json');
  await using first = await startDouble({ token });
  await using second = await startDouble({ token });
  await first.announce(file);
  await using user = await userOf(file, { clock: new FakeClock() });
  const status = (remote_peer_id: string) => user.node.mesh.call('status', { remote_peer_id });
  await failureOf(status('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'));
  await second.announce(file);
  assert.is((await status(second.peerId)).peer_id, second.peerId);
});

test('a Python node that is out of reach is an answer', async () => {
  await using user = await userOf('/ip4/127.0.0.1/tcp/1');
  assert.is((await failureOf(user.node.mesh.call('status', user.at))).code, 'peer_unreachable');
});

test('our client and our server understand each other, in both protocols', async () => {
  for (const legacy of [false, true]) {
    await using server = await startListening({ legacy });
    const shared = { tokenFile: `${server.folder}/token`, legacy };
    await using user = await userOf(server.pythonAddress, { python: shared });
    const { mesh } = user.node;
    const { task_id } = await mesh.call('submit', { task_type: 'both', payload: { n: 1 }, ...user.at });
    const { task } = await mesh.call('claim', { worker_id: 'w', supported_task_types: ['both'], ...user.at });
    assert.equal([task?.task_id, task?.payload], [task_id, { n: 1 }]);
    const waited = mesh.call('wait', { task_id, timeout_s: 20 });
    await mesh.call('complete', { task_id, fence: task?.fence ?? 0, result: [1] });
    assert.equal((await waited).task.result, [1]);
    assert.equal((await server.mesh.call('get', { task_id })).task.result, [1]);
  }
});

test.run();
