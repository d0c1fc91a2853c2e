import * as assert from 'uvu/assert';
import { defaultGrant } from '../../../src/mesh/grant.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';
import { type RawHost, rawHost, until } from '../support.ts';
import { askFresh, openSession, type PythonNode, type Reply, rpc, startListening, token } from './support.ts';

interface Scene {
  node: PythonNode;
  ask(op: string, fields?: Record<string, unknown>): Promise<Reply>;
}

const test = suite<Scene>('the operations that Python clients ask');

test.before(async (scene) => {
  scene.node = await startListening();
  scene.ask = (op, fields) => askFresh(scene.node.pythonAddress, op, fields);
});

test.after(async ({ node }) => {
  await node[Symbol.asyncDispose]();
});

test('a task goes round: submitted, claimed, completed and waited for, each by a client with a new identity', async ({
  ask,
  node,
}) => {
  const payload = { text: 'wörld 🎉 \u2028', priority: 7, max_attempts: 5, idempotency_key: 'k-1' };
  const { task_id, ok, peer_id } = await ask('submit', { task_type: 'round', model_name: 'm', payload });
  assert.equal([ok, peer_id], [true, node.peerId]);
  assert.match(task_id, /^[0-9a-f]{32}$/);
  assert.is((await ask('submit', { task_type: 'round', model_name: 'm', payload })).task_id, task_id, 'same key');
  const waited = ask('wait', { task_id, timeout_s: 30 });
  const { task } = await ask('claim', { worker_id: 'w1', supported_task_types: ['round'], peer_id: 'w1' });
  assert.equal(Object.keys(task ?? {}), [
    ...['task_id', 'task_type', 'model_name', 'payload', 'created_at', 'status', 'assigned_worker'],
  ]);
  assert.equal([task?.task_id, task?.status, task?.assigned_worker], [task_id, 'running', 'w1']);
  assert.equal(task?.payload, payload, 'the options stay in the payload');
  const done = await ask('complete', { task_id, status: 'completed', result: { answer: 42 }, error: null });
  assert.equal(done, { ok: true, task_id, peer_id: node.peerId });
  const { task: row } = await waited;
  assert.equal([row?.status, row?.result, row?.payload], ['completed', { answer: 42 }, payload]);
  assert.equal([row?.priority, row?.max_attempts, row?.idempotency_key, row?.attempt], [7, 5, 'k-1', 1]);
  assert.type(row?.created_at, 'number');
});

test('times are floats and the text is ASCII, as Python writes them', async ({ ask, node }) => {
  const { task_id } = await ask('submit', { task_type: 'bytes', payload: { text: 'é' } });
  await using host = await rawHost([]);
  const session = await openSession(host, node.pythonAddress);
  session.send(rpc('get', { task_id }));
  const text = (await session.text()) ?? '';
  assert.match(text, /"created_at":\d+\.\d+,/);
  assert.ok(text.includes('\\u00e9'));
  session.stream.abort(new Error('done'));
});

test('claims know the aliases of types, and a claim for none takes nothing of others', async ({ ask }) => {
  const { task_id } = await ask('submit', { task_type: 'text_generation' });
  assert.is((await ask('claim_next', { worker_id: 'w', task_types: ['embedding'] })).task, null);
  const { task } = await ask('claim', { worker_id: 'w', supported_task_types: ['generation'] });
  assert.is(task?.task_id, task_id);
  assert.ok((await ask('release_task', { task_id, worker_id: 'w', reason: 'later' })).ok);
  assert.is((await ask('list', { status: 'queued', task_types: ['text-generation'] })).tasks[0]?.task_id, task_id);
  assert.is((await ask('task.cancel', { task_id })).cancelled, true);
});

test('only the holder ends a task: another worker, another id, and what is not leased are refused', async ({ ask }) => {
  const { task_id } = await ask('submit', { task_type: 'held' });
  assert.equal((await ask('complete', { task_id, status: 'completed', result: 1 })).error, 'stale_fence');
  await ask('claim', { worker_id: 'w1', supported_task_types: ['held'] });
  const other = await ask('release', { task_id, worker_id: 'w2' });
  assert.equal([other.ok, other.error], [false, 'stale_fence']);
  assert.is((await ask('complete', { task_id: 'f'.repeat(32), result: 1 })).error, 'stale_fence');
  assert.ok((await ask('task.complete', { task_id, status: 'completed', result: 1 })).ok);
  assert.ok((await ask('complete', { task_id, status: 'completed', result: 1 })).ok, 'the same word again is no harm');
});

test('a task that a node of the mesh holds cannot be ended with the token', async ({ ask, node }) => {
  const { task_id } = await node.mesh.call('submit', { task_type: 'mesh' });
  const { task } = await node.mesh.call('claim', { supported_task_types: ['mesh'] });
  const local = task_id.slice(0, 32);
  assert.is((await ask('complete', { task_id: local, result: 'mine' })).error, 'stale_fence');
  await node.mesh.call('complete', { task_id, fence: task?.fence ?? 0, result: 'theirs' });
  assert.is((await ask('get', { task_id: local })).task?.result, 'theirs');
});

test('a completion after the lease was lost is refused, also when the task is with another Python worker', async () => {
  const clock = new FakeClock();
  await using node = await startListening({ leaseSeconds: 60 }, [{}, { clock }]);
  const ask = (op: string, fields: Record<string, unknown>) => askFresh(node.pythonAddress, op, fields);
  const { task_id } = await ask('submit', { task_type: 'lost', payload: { max_attempts: 0 } });
  const claim = () => ask('claim', { worker_id: 'w', supported_task_types: ['lost'] });
  assert.is((await claim()).task?.task_id, task_id);
  clock.advance(60_000);
  await until(async () => (await ask('get', { task_id })).task?.status === 'queued');
  assert.is((await ask('complete', { task_id, result: 'late' })).error, 'stale_fence', 'nobody holds it');
  clock.advance(10_000);
  let second = '';
  await until(async () => {
    second = (await claim()).task?.task_id ?? '';
    return second !== '';
  });
  assert.is.not(second, task_id, 'the second lease has an id of its own');
  assert.is(second.slice(0, 14), task_id.slice(0, 14));
  assert.is((await ask('complete', { task_id, result: 'late' })).error, 'stale_fence', 'another one holds it');
  assert.is((await ask('get', { task_id: second })).task?.task_id, task_id, 'the lease’s id finds the task');
  assert.ok((await ask('complete', { task_id: second, result: 'right' })).ok);
  assert.is((await ask('get', { task_id })).task?.result, 'right');
});

test('leases are known after a restart', async () => {
  const first = await startListening();
  const { folder } = first;
  const { task_id } = await askFresh(first.pythonAddress, 'submit', { task_type: 'kept' });
  await askFresh(first.pythonAddress, 'claim', { worker_id: 'w', supported_task_types: ['kept'] });
  await first.node.stop();
  const { startNode } = await import('../support.ts');
  const { readAnnouncement } = await import('../../../src/p2p/discovery/announce-file.ts');
  const python = { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [], legacy: false, leaseSeconds: 300 };
  {
    await using _second = await startNode({
      dataFolder: folder,
      python: { ...python, tokenFile: `${folder}/token` },
    });
    const { multiaddr } = await readAnnouncement(`${folder}/python-announce.json`);
    assert.ok((await askFresh(multiaddr, 'complete', { task_id, result: 1 })).ok);
  }
  await first[Symbol.asyncDispose]();
});

test('a failed attempt is tried again while there are some left; one that its worker cancels is not', async ({
  ask,
}) => {
  const { task_id } = await ask('submit', { task_type: 'fails', payload: { max_attempts: 1 } });
  await ask('claim', { worker_id: 'w', supported_task_types: ['fails'] });
  assert.ok((await ask('complete', { task_id, status: 'failed', error: { kind: 'boom' } })).ok);
  const { task } = await ask('get', { task_id });
  assert.equal([task?.status, task?.error], ['failed', '{"kind":"boom"}']);
  const given = await ask('submit', { task_type: 'given up', payload: { max_attempts: 9 } });
  await ask('claim', { worker_id: 'w', supported_task_types: ['given up'] });
  assert.ok((await ask('complete', { task_id: given.task_id, status: 'cancelled', error: 'no GPU' })).ok);
  assert.equal((await ask('get', { task_id: given.task_id })).task?.error, 'Cancelled by its worker. no GPU');
});

test('claim_many hands out as many as it is asked for, of one type if that is asked', async ({ ask }) => {
  for (const task_type of ['m1', 'm1', 'm2']) await ask('submit', { task_type });
  const types = { worker_id: 'w', supported_task_types: ['m1', 'm2'] };
  const batch = await ask('claim_batch', { ...types, limit: 10, same_type: true });
  assert.equal(
    batch.tasks.map(({ task_type }) => task_type),
    ['m1', 'm1'],
  );
  assert.is((await ask('claim_many', { ...types, max_tasks: 10 })).tasks.length, 1);
  assert.equal((await ask('claim_many', types)).tasks, []);
});

test('a queued or running task is cancelled; a finished or unknown one is not', async ({ ask }) => {
  const { task_id } = await ask('submit', { task_type: 'c' });
  await ask('claim', { worker_id: 'w', supported_task_types: ['c'] });
  assert.is((await ask('cancel', { task_id, reason: 'enough' })).cancelled, true);
  assert.is((await ask('complete', { task_id, result: 1 })).error, 'task_cancelled');
  assert.equal(await ask('cancel', { task_id: 'a'.repeat(32) }), { ...(await ask('cancel', {})) });
});

test('what is not there is null, and a wait for it ends at once', async ({ ask }) => {
  assert.is((await ask('get', { task_id: 'b'.repeat(32) })).task, null);
  assert.is((await ask('get', { task_id: 'no id' })).task, null);
  assert.is((await ask('wait', { task_id: 'b'.repeat(32) })).task, null);
  const { task_id } = await ask('submit', { task_type: 'waits' });
  assert.is((await ask('wait', { task_id, timeout_s: 0.01 })).task?.status, 'queued');
});

test('a heartbeat tells who is there and carries clocks; it renews no lease', async ({ ask, node }) => {
  const clock = { node_id: 'w9', vector: { w9: 4 } };
  const { peer, scheduler } = await ask('heartbeat', { peer_id: 'w9', clock });
  const { clock: ours, known_peers } = scheduler as {
    clock: { node_id: string; vector: Record<string, number> };
    known_peers: string[];
  };
  assert.is(peer, 'w9');
  assert.ok(known_peers.includes('w9'));
  assert.equal([ours.node_id, ours.vector.w9], [node.peerId, 4]);
  const status = await ask('capabilities', { detail: true });
  assert.equal(Object.keys(status), [
    ...['ok', 'capabilities', 'nat', 'session', 'queue', 'scheduler', 'local_worker', 'transport', 'peer_id'],
  ]);
});

test('tools and the cache are closed to the token unless the operator opens them', async ({ ask }) => {
  const error = async (op: string, fields: Record<string, unknown>) => (await ask(op, fields)).error;
  assert.is(await error('tool.call', { tool: 'x' }), 'tools_disabled');
  assert.is(await error('call_tool', {}), 'missing_tool_name');
  assert.is(await error('cache.get', { key: 'k' }), 'cache_disabled');
  assert.is(await error('cache.get', {}), 'missing_key');
  assert.is(await error('nonsense', {}), 'unknown_op');
  await using open = await startListening({ grant: { ...defaultGrant, tools: ['*'], submit: ['only'] } });
  const there = (op: string, fields: Record<string, unknown>) => askFresh(open.pythonAddress, op, fields);
  assert.ok((await there('cache.set', { key: 'k', value: [1], ttl_s: 60, replicate: true })).ok);
  assert.equal((await there('cache.get', { key: 'k' })).value, [1]);
  assert.is((await there('cache.has', { key: 'k' })).hit, true);
  assert.is((await there('cache.delete', { key: 'k' })).deleted, true);
  assert.is((await there('cache.get', { key: 'k' })).hit, false);
  assert.is((await there('call_tool', { tool: 'x' })).error, 'tools_disabled');
  assert.is((await there('submit', { task_type: 'other' })).error, 'unauthorized');
  assert.ok((await there('submit', { task_type: 'only' })).ok);
});

test('answers stay within what a Python client reads, and a task that never fits is left to others', async () => {
  await using node = await startListening();
  const text = 'é'.repeat(200_000);
  await node.mesh.call('submit', { task_type: 'big', payload: text });
  await node.mesh.call('submit', { task_type: 'big', payload: text });
  await node.mesh.call('submit', { task_type: 'big', payload: text });
  const ask = (op: string, fields: Record<string, unknown>) => askFresh(node.pythonAddress, op, fields);
  const listed = await ask('list', { limit: 1000 });
  assert.equal([listed.tasks.length, listed.truncated], [0, true]);
  const { task } = await ask('claim', { worker_id: 'w', supported_task_types: ['big'] });
  assert.is(task?.payload, text, 'in UTF-8 it fits');
  const full = 'x'.repeat(1_048_000);
  const { task_id } = await node.mesh.call('submit', { task_type: 'full', payload: full });
  assert.is((await ask('claim', { worker_id: 'w', supported_task_types: ['full'] })).task, null);
  assert.is((await node.mesh.call('get', { task_id })).task.status, 'queued');
});

test('a waiting client that goes away is waited for no longer', async ({ node }) => {
  const { task_id } = await askFresh(node.pythonAddress, 'submit', { task_type: 'gone' });
  const host: RawHost = await rawHost([]);
  const session = await openSession(host, node.pythonAddress);
  session.send(rpc('wait', { task_id, timeout_s: 600 }));
  const waiters = async () => (await node.mesh.call('status', { detail: true })).detail?.waiters;
  await until(async () => (await waiters()) === 1);
  await host.stop();
  await until(async () => (await waiters()) === 0);
});

test('the token is in no log and in no status', async ({ node, ask }) => {
  const shown = JSON.stringify([
    await node.mesh.call('status', { detail: true }),
    await ask('status', { detail: true }),
  ]);
  assert.not(shown.includes(token));
});

test.run();
