import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { peerIdFromString } from '@libp2p/peer-id';
import * as assert from 'uvu/assert';
import type { TaskProgress } from '../../src/mesh/mesh.ts';
import { suite } from '../tooling/suite.ts';
import { connect, eventOf, failureOf, startNode, statusOf, type TestNode, until } from './support.ts';

interface Pair {
  a: TestNode;
  b: TestNode;
}

const two = suite<Pair>('two nodes');

two.before(async (pair) => {
  pair.a = await startNode();
  pair.b = await startNode();
  await connect(pair.a, pair.b);
});

two.after(async ({ a, b }) => {
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
});

two(
  'a task goes into the other node’s queue, is claimed from there, reports progress, and its result comes back',
  async ({ a, b }) => {
    const { task_id } = await a.mesh.call('submit', {
      task_type: 'whole',
      payload: { n: 1 },
      remote_peer_id: b.peerId,
    });
    assert.ok(task_id.endsWith(`@${b.peerId}`));
    const heard: TaskProgress[] = [];
    const waited = a.mesh.call('wait', { task_id }, { onProgress: (progress) => heard.push(progress) });
    const { task } = await a.mesh.call('claim', { supported_task_types: ['whole'], worker_id: 'w1' });
    assert.is(task?.task_id, task_id);
    assert.is(task?.assigned_peer, a.peerId, 'the lease belongs to the node that asked');
    assert.equal(task?.payload, { n: 1 });
    const lease = { task_id, fence: task?.fence ?? 0 };
    await a.mesh.call('heartbeat', { ...lease, progress: { done: 1 } });
    await until(() => heard.some(({ progress }) => (progress as { done?: number } | null)?.done === 1));
    assert.is(heard.at(-1)?.task_id, task_id);
    await a.mesh.call('complete', { ...lease, result: { answer: 42 } });
    const { task: done } = await waited;
    assert.equal([done.status, done.result, done.assigned_worker], ['completed', { answer: 42 }, 'w1']);
    assert.equal((await b.mesh.call('get', { task_id: task_id.slice(0, 32) })).task.result, { answer: 42 });
  },
);

two('only the holder of the lease can end the task, from wherever it asks', async ({ a, b }) => {
  const { task_id } = await b.mesh.call('submit', { task_type: 'fenced' });
  const { task } = await a.mesh.call('claim', { supported_task_types: ['fenced'] });
  const lease = { task_id, fence: task?.fence ?? 0 };
  assert.is((await failureOf(b.mesh.call('complete', lease))).code, 'stale_fence');
  assert.is((await failureOf(a.mesh.call('complete', { ...lease, fence: lease.fence + 1 }))).code, 'stale_fence');
  await a.mesh.call('release', lease);
  assert.is((await b.mesh.call('get', { task_id })).task.status, 'queued');
  await b.mesh.call('cancel', { task_id });
});

two('a peer hears that a payload is lost, and not where it was', async ({ a, b }) => {
  const { task_id } = await b.mesh.call('submit', { task_type: 'lost', payload: 'x'.repeat(100_000) });
  rmSync(join(b.folder, 'queue.sqlite-values'), { recursive: true });
  const { code, message, details } = await failureOf(a.mesh.call('get', { task_id }));
  assert.is(code, 'data_corrupt');
  assert.not.match(message, b.folder);
  assert.is(JSON.stringify(details ?? {}).includes(b.folder), false);
  assert.is((await a.mesh.call('claim', { supported_task_types: ['lost'] })).task, null);
  await b.mesh.call('cancel', { task_id });
});

two('the own queue goes first, then the peers’', async ({ a, b }) => {
  const theirs = await b.mesh.call('submit', { task_type: 'order', priority: 10 });
  const mine = await a.mesh.call('submit', { task_type: 'order', priority: 1 });
  const claimed: (string | undefined)[] = [];
  for (let round = 0; round < 3; round++) {
    claimed.push((await a.mesh.call('claim', { supported_task_types: ['order'] })).task?.task_id);
  }
  assert.equal(claimed, [mine.task_id, theirs.task_id, undefined]);
});

two('a waiting claim takes a task that appears at a peer', async ({ a, b }) => {
  const claimed = a.mesh.call('claim', { supported_task_types: ['later'], wait_s: 20 });
  await until(async () => (await statusOf(b)).capabilities.task_types.includes('later'));
  const { task_id } = await b.mesh.call('submit', { task_type: 'later' });
  assert.is((await claimed).task?.task_id, task_id);
  await until(async () => (await statusOf(a)).detail.waiters === 0 && (await statusOf(b)).detail.waiters === 0);
});

two('a waiting claim takes the own task, and nothing stays behind at the peers', async ({ a, b }) => {
  const claimed = a.mesh.call('claim', { supported_task_types: ['own'], wait_s: 20 });
  await until(async () => (await statusOf(b)).capabilities.task_types.includes('own'));
  const { task_id } = await a.mesh.call('submit', { task_type: 'own' });
  assert.is((await claimed).task?.task_id, task_id);
  await until(async () => (await statusOf(b)).detail.waiters === 0);
});

two('when tasks appear everywhere at once, one is claimed and the others are free again', async ({ a, b }) => {
  for (let round = 0; round < 10; round++) {
    const type = `race-${round}`;
    const claimed = a.mesh.call('claim', { supported_task_types: [type], wait_s: 20 });
    await until(async () => (await statusOf(b)).capabilities.task_types.includes(type));
    const [mine, theirs] = await Promise.all([
      a.mesh.call('submit', { task_type: type }),
      b.mesh.call('submit', { task_type: type }),
    ]);
    const { task } = await claimed;
    const [other, owner] = task?.task_id === mine.task_id ? [theirs, b] : [mine, a];
    await until(async () => (await owner.mesh.call('get', { task_id: other.task_id })).task.status === 'queued');
    assert.is((await owner.mesh.call('get', { task_id: other.task_id })).task.attempt, 0, 'the attempt does not count');
  }
});

two('a wait that is cancelled leaves nothing at the far end', async ({ a, b }) => {
  const { task_id } = await b.mesh.call('submit', { task_type: 'nobody' });
  const stop = new AbortController();
  const waited = failureOf(a.mesh.call('wait', { task_id, timeout_s: 60 }, { signal: stop.signal }));
  await until(async () => (await statusOf(b)).detail.waiters === 1);
  stop.abort();
  assert.is((await waited).code, 'cancelled');
  await until(async () => (await statusOf(b)).detail.waiters === 0);
  await b.mesh.call('cancel', { task_id });
});

two('a claim that is cancelled while the task is on its way leaves no lease', async ({ a, b }) => {
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController();
    const type = `late-${round}`;
    const claimed = a.mesh.call(
      'claim',
      { supported_task_types: [type], wait_s: 30, remote_peer_id: b.peerId },
      { signal: stop.signal },
    );
    await until(async () => (await statusOf(b)).capabilities.task_types.includes(type));
    const running = eventOf(
      b.mesh,
      (event) => event.type === 'task' && event.task_type === type && event.status === 'running',
    );
    const { task_id } = await b.mesh.call('submit', { task_type: type });
    // The lease exists at the far end; the answer is between here and there.
    await running;
    stop.abort();
    const taken = await claimed.then(
      ({ task }) => task,
      () => null,
    );
    if (taken === null) await until(async () => (await b.mesh.call('get', { task_id })).task.status === 'queued');
    else await a.mesh.call('release', { task_id, fence: taken.fence });
    assert.is((await b.mesh.call('get', { task_id })).task.attempt, 0);
  }
});

two('a deadline ends a call on the far side too', async ({ a, b }) => {
  const { task_id } = await b.mesh.call('submit', { task_type: 'slow' });
  const error = await failureOf(a.mesh.call('wait', { task_id, timeout_s: 60 }, { deadlineMs: 50 }));
  assert.is(error.code, 'timeout');
  await until(async () => (await statusOf(b)).detail.waiters === 0);
  await b.mesh.call('cancel', { task_id });
});

two('a thousand requests from both sides at once share one stream', async ({ a, b }) => {
  const streams = new Set<string>();
  const look = (): void => {
    for (const { node } of [a, b]) streams.add(JSON.stringify(node.carriageStreams()));
  };
  const ask = async (from: TestNode, to: TestNode, index: number): Promise<void> => {
    const key = `${from.peerId.slice(-6)}-${index}`;
    await from.mesh.call('cache_set', { key, value: index, remote_peer_id: to.peerId });
    look();
    assert.is((await from.mesh.call('cache_get', { key, remote_peer_id: to.peerId })).value, index);
  };
  const calls = Array.from({ length: 500 }, (_, index) => [ask(a, b, index), ask(b, a, index)]);
  await Promise.all(calls.flat());
  assert.equal([...streams].sort(), [JSON.stringify({ [a.peerId]: 1 }), JSON.stringify({ [b.peerId]: 1 })].sort());
});

two('large payloads pass whole, and one that no frame holds is refused', async ({ a, b }) => {
  const value = 'é'.repeat(500_000);
  await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      a.mesh.call('cache_set', { key: `large-${index}`, value, remote_peer_id: b.peerId }),
    ),
  );
  assert.is((await a.mesh.call('cache_get', { key: 'large-7', remote_peer_id: b.peerId })).value, value);
  const tasks = Array.from({ length: 5 }, () => ({ payload: 'x'.repeat(1_000_000) }));
  const error = await failureOf(a.mesh.call('submit_many', { tasks, remote_peer_id: b.peerId }));
  assert.is(error.code, 'payload_too_large');
  assert.is((await statusOf(a)).connected_peers, 1);
});

two('a call that names two different nodes, or a bad one, is refused', async ({ a, b }) => {
  const { task_id } = await b.mesh.call('submit', { task_type: 'target' });
  const codeOf = async (call: Promise<unknown>): Promise<string> => (await failureOf(call)).code;
  assert.is(await codeOf(a.mesh.call('get', { task_id, remote_peer_id: a.peerId })), 'invalid_params');
  assert.is(await codeOf(a.mesh.call('status', { peer_id: b.peerId, remote_peer_id: a.peerId })), 'invalid_params');
  assert.is(await codeOf(a.mesh.call('status', { remote_peer_id: 'nobody' })), 'invalid_peer_id');
  assert.is(await codeOf(a.mesh.call('status', { remote_multiaddr: '/ip4/127.0.0.1/tcp/1' })), 'invalid_multiaddr');
  assert.is(await codeOf(a.mesh.call('status', { remote_multiaddr: 'nonsense' })), 'invalid_multiaddr');
  const stranger = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8';
  assert.is(await codeOf(a.mesh.call('status', { remote_peer_id: stranger })), 'peer_not_found');
  assert.is(await codeOf(a.mesh.call('get', { task_id: task_id.replace(b.peerId, stranger) })), 'peer_not_found');
  const unlike = `12D3KooW${'z'.repeat(44)}`;
  assert.is(await codeOf(a.mesh.call('status', { remote_peer_id: unlike })), 'invalid_peer_id');
  const asCid = peerIdFromString(b.peerId).toCID().toString();
  assert.is((await a.mesh.call('get', { task_id, remote_peer_id: asCid })).task.task_id, task_id);
  assert.is((await a.mesh.call('status', { remote_peer_id: a.peerId })).peer_id, a.peerId);
  await b.mesh.call('cancel', { task_id });
});

two('errors of the far side arrive as themselves', async ({ a, b }) => {
  const error = await failureOf(a.mesh.call('get', { task_id: `${'0'.repeat(32)}@${b.peerId}` }));
  assert.is(error.code, 'task_not_found');
  assert.is(error.retryable, false);
  assert.is(
    (await failureOf(a.mesh.call('call_tool', { tool_name: 'x', remote_peer_id: b.peerId }))).code,
    'unauthorized',
  );
});

two('peers are listed with direction, agent, latency and how they were found', async ({ a, b }) => {
  await until(async () => (await a.mesh.call('peers', {})).peers[0]?.latency_ms !== null);
  const [peer] = (await a.mesh.call('peers', {})).peers;
  assert.is(peer?.peer_id, b.peerId);
  assert.equal([peer?.connected, peer?.direction, peer?.found_by], [true, 'outbound', ['explicit']]);
  assert.match(peer?.agent ?? '', /^taskmesh\/\d+\.\d+\.\d+ (node|deno)\/\d+/);
  assert.is(peer?.addresses[0], b.address);
});

two('events tell of the own tasks, by their full ids, in order', async ({ a, b }) => {
  const seen: string[] = [];
  const end = b.mesh.subscribe((event) => {
    if (event.type === 'task' && event.task_type === 'watched') seen.push(`${event.task_id} ${event.status}`);
  });
  const { task_id } = await a.mesh.call('submit', { task_type: 'watched', remote_peer_id: b.peerId });
  const { task } = await a.mesh.call('claim', { supported_task_types: ['watched'] });
  await a.mesh.call('complete', { task_id, fence: task?.fence ?? 0 });
  end();
  assert.equal(seen, [`${task_id} queued`, `${task_id} running`, `${task_id} completed`]);
});

two.run();
