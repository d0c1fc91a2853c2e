import * as assert from 'uvu/assert';
import type { OperationInput } from '../../../src/mesh/operations.ts';
import { frameOf } from '../../../src/p2p/python/messages.ts';
import { TaskFailure, type WorkEvent, work } from '../../../src/work/work.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { failureOf, until } from '../support.ts';
import { type Double, startDouble } from './double.ts';
import { sceneSuite, token, type User, userOf } from './scene.ts';
import { type Row, startListening } from './support.ts';

const test = sceneSuite('claiming from Python nodes without naming one');

type Work = OperationInput<'submit'>;

async function submitted({ node, at }: User, task: Work = {}): Promise<string> {
  return (await node.mesh.call('submit', { task_type: 'their', payload: {}, ...task, ...at })).task_id;
}

function rowOf(double: Double, taskId: string): Row | undefined {
  return double.tasks.get(taskId.slice(0, 32));
}

test('the own queue goes first, then the Python node’s; the task is completed there', async ({ double, user }) => {
  const { mesh } = user.node;
  const theirs = await submitted(user, { payload: { n: 1 } });
  const mine = await mesh.call('submit', { task_type: 'their' });
  const claim = async () => (await mesh.call('claim', { worker_id: 'w', supported_task_types: ['their'] })).task;
  assert.is((await claim())?.task_id, mine.task_id);
  const task = await claim();
  assert.equal([task?.task_id, task?.payload], [theirs, { n: 1 }]);
  assert.is(await claim(), null);
  await mesh.call('complete', { task_id: theirs, fence: task?.fence ?? 0, result: 42 });
  assert.equal([rowOf(double, theirs)?.status, rowOf(double, theirs)?.result], ['completed', 42]);
});

test('this node is one worker there, whoever claims; a claim that names the Python node goes there by its own name', async ({
  double,
  user,
}) => {
  const { mesh, peerId } = user.node;
  for (const worker_id of ['one', 'another', '']) {
    const task_id = await submitted(user);
    assert.is((await mesh.call('claim', { worker_id, wait_s: 20 })).task?.assigned_worker, peerId);
    assert.is(rowOf(double, task_id)?.assigned_worker, peerId);
  }
  assert.equal([...double.seen], [peerId]);
  await submitted(user);
  double.seen.clear();
  await mesh.call('claim', { worker_id: 'one', ...user.at });
  assert.equal([...double.seen], ['one']);
});

test('a claim for types that are not queued there leaves no trace there', async ({ double, user }) => {
  await submitted(user);
  double.script.set('list', ({ task_types }) => {
    const tasks = [...double.tasks.values()].filter((row) => (task_types as string[]).includes(String(row.task_type)));
    return { ok: true, tasks, peer_id: double.peerId };
  });
  const claim = async (type: string) =>
    (await user.node.mesh.call('claim', { supported_task_types: [type], wait_s: 0.5 })).task;
  assert.is(await claim('none.of.theirs'), null);
  assert.is(double.seen.size, 0);
  assert.ok((await claim('their')) !== null);
});

test('who may not look there is given work all the same', async ({ double, user }) => {
  double.script.set('list', () => ({ ok: false, error: 'unknown_op' }));
  const task_id = await submitted(user);
  assert.is((await user.node.mesh.call('claim', {})).task?.task_id, task_id);
});

test('a waiting claim takes a task that appears there', async ({ double, user }) => {
  const waiting = user.node.mesh.call('claim', { supported_task_types: ['their'], wait_s: 30 });
  await until(() => double.heard.length > 0);
  const task_id = await submitted(user);
  assert.is((await waiting).task?.task_id, task_id);
});

test('a task that comes when another queue has won already is given back', async ({ double, user }) => {
  const task_id = await submitted(user);
  const row = rowOf(double, task_id);
  const asked = Promise.withResolvers<unknown>();
  double.script.set('claim', () => {
    Object.assign(row ?? {}, { status: 'running' });
    asked.resolve(undefined);
    return undefined;
  });
  const claim = user.node.mesh.call('claim', { supported_task_types: ['their'], wait_s: 30 });
  await asked.promise;
  const { id } = JSON.parse(double.heard.at(-1) ?? '{}');
  const stream = double.asking;
  const mine = await user.node.mesh.call('submit', { task_type: 'their' });
  assert.is((await claim).task?.task_id, mine.task_id);
  stream?.send(frameOf({ jsonrpc: '2.0', id, result: { content: { ok: true, task: row } } }, 9999) ?? new Uint8Array());
  await until(() => row?.status === 'queued');
});

test('a claim that is given up while the rest of its task is looked up leaves no lease', async ({ double, user }) => {
  const task_id = await submitted(user);
  const looked = Promise.withResolvers<void>();
  double.script.set('get', () => void looked.resolve());
  const stop = new AbortController();
  const claim = failureOf(user.node.mesh.call('claim', { ...user.at }, { signal: stop.signal }));
  await looked.promise;
  stop.abort();
  assert.is((await claim).code, 'cancelled');
  await until(() => rowOf(double, task_id)?.status === 'queued');
});

test('a Python node that comes while a claim waits is asked', async () => {
  const first = await startDouble({ token });
  const port = Number(first.address.split('/').at(-1));
  await first[Symbol.asyncDispose]();
  await using user = await userOf(first.address);
  assert.is((await user.node.mesh.call('claim', {})).task, null, 'who is away is no reason to fail');
  const waiting = user.node.mesh.call('claim', { wait_s: 30 });
  await using double = await startDouble({ token, port });
  await submitted(user);
  assert.is((await waiting).task?.task_id.slice(33), double.peerId);
});

test('a waiting claim that another queue has won, or whose node stops, leaves nothing behind', async ({ double }) => {
  const clock = new FakeClock();
  const user = await userOf(double.address, { clock });
  const { mesh } = user.node;
  await mesh.call('status', user.at);
  const timers = clock.pendingTimers;
  const looked = Promise.withResolvers<void>();
  double.script.set('list', () => void looked.resolve());
  const waiting = mesh.call('claim', { supported_task_types: ['their'], wait_s: 600 });
  await looked.promise;
  // Its head start is over: now all queues are waited for.
  clock.advance(100);
  await until(() => double.heard.filter((text) => text.includes('"list"')).length === 2);
  await mesh.call('submit', { task_type: 'their' });
  assert.ok((await waiting).task !== null);
  await until(() => clock.pendingTimers <= timers + 1);
  clock.advance(60_000);

  double.heard.length = 0;
  const named = failureOf(mesh.call('claim', { wait_s: 600, ...user.at }));
  await until(() => double.heard.length > 0);
  await user[Symbol.asyncDispose]();
  assert.is((await named).code, 'mesh_down');
  await until(() => clock.pendingTimers === 0);
});

test('a worker does a Python node’s tasks without naming it', async ({ double, user }) => {
  const ids = [await submitted(user, { payload: { n: 1 } }), await submitted(user, { payload: { n: 2 } })];
  const ended: WorkEvent[] = [];
  await using _ = work(user.node.mesh, {
    types: ['their'],
    run: ({ payload }) => ({ doubled: 2 * (payload as { n: number }).n }),
    onEvent: (event) => {
      if (event.type === 'ended') ended.push(event);
    },
  });
  await until(() => ended.length === 2);
  const results = ids.map((id) => [rowOf(double, id)?.status, rowOf(double, id)?.result]);
  assert.equal(results, [
    ['completed', { doubled: 2 }],
    ['completed', { doubled: 4 }],
  ]);
});

test('a worker of ours does the tasks of a listener of ours as a Python node’s', async () => {
  await using server = await startListening();
  await using user = await userOf(server.pythonAddress, { python: { tokenFile: `${server.folder}/token` } });
  const { task_id } = await server.mesh.call('submit', { task_type: 'both', payload: 'x' });
  await using _ = work(user.node.mesh, { types: ['both'], run: ({ payload }) => `${payload}!` });
  const { task } = await server.mesh.call('wait', { task_id, timeout_s: 20 });
  assert.equal([task.status, task.result, task.assigned_worker], ['completed', 'x!', user.node.peerId]);
});

test('a worker’s failure ends the task there, and a delay that means nothing there does not stand in the way', async ({
  double,
  user,
}) => {
  const task_id = await submitted(user);
  const run = () => {
    throw new TaskFailure('boom', { delayMs: 5_000 });
  };
  await using _ = work(user.node.mesh, { types: ['their'], run });
  await until(() => rowOf(double, task_id)?.status === 'failed');
  assert.is(rowOf(double, task_id)?.error, 'boom');
});

test('a worker stops when the lease there is over, because it cannot be renewed', async ({ double }) => {
  const clock = new FakeClock();
  await using user = await userOf(double.address, { clock });
  const task_id = await submitted(user);
  const claimed = Promise.withResolvers<void>();
  const ended: string[] = [];
  await using _ = work(user.node.mesh, {
    types: ['their'],
    clock,
    run: (_task, { signal }) =>
      new Promise((_resolve, reject) => {
        claimed.resolve();
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    onEvent: (event) => {
      if (event.type === 'ended') ended.push(event.outcome);
    },
  });
  await claimed.promise;
  const fromMs = clock.monotonicMs();
  await until(() => {
    if (ended.length === 0) clock.advance(1_000);
    return ended.length > 0;
  });
  assert.equal(ended, ['lost']);
  assert.ok(clock.monotonicMs() - fromMs >= 300_000);
  assert.is(rowOf(double, task_id)?.status, 'running', 'nothing was sent for it');
});

test('a heartbeat tells how long the lease still is, and hears of its end', async ({ double }) => {
  const clock = new FakeClock();
  await using user = await userOf(double.address, { clock });
  const { mesh } = user.node;
  const next = async () => {
    const task_id = await submitted(user);
    const { task } = await mesh.call('claim', { ...user.at });
    return { row: rowOf(double, task_id), lease: { task_id, fence: task?.fence ?? 0 } };
  };
  const { row, lease } = await next();
  clock.advance(100_000);
  const { lease_s, lease_until } = await mesh.call('heartbeat', lease);
  assert.equal([lease_s, lease_until], [200, clock.nowMs() / 1000 + 200]);
  assert.is((await failureOf(mesh.call('heartbeat', { ...lease, progress: 1 }))).code, 'unknown_operation');
  assert.is((await failureOf(mesh.call('heartbeat', { ...lease, lease_s: 60 }))).code, 'unknown_operation');
  clock.advance(200_000);
  assert.is((await failureOf(mesh.call('heartbeat', lease))).code, 'stale_fence');
  assert.is(row?.status, 'running');

  const taken = await next();
  Object.assign(taken.row ?? {}, { assigned_worker: 'somebody else' });
  assert.is((await failureOf(mesh.call('heartbeat', taken.lease))).code, 'stale_fence');
  const cancelled = await next();
  Object.assign(cancelled.row ?? {}, { status: 'cancelled' });
  assert.is((await failureOf(mesh.call('heartbeat', cancelled.lease))).code, 'task_cancelled');
});

test('a lease, and what a task’s id leads to, outlast the node that holds it; the lease’s end does too', async ({
  double,
}) => {
  await using folder = await tempFolder();
  const clock = new FakeClock();
  const start = () => userOf(double.address, { clock, dataFolder: folder.path });
  const first = await start();
  const leases: Lease[] = [];
  for (let n = 0; n < 3; n++) {
    const task_id = await submitted(first);
    const { task } = await first.node.mesh.call('claim', { ...first.at });
    leases.push({ task_id, fence: task?.fence ?? 0 });
  }
  const [done, wrong, late] = leases as [Lease, Lease, Lease];
  await first[Symbol.asyncDispose]();

  const again = await start();
  const { mesh } = again.node;
  assert.is((await failureOf(mesh.call('complete', { ...wrong, fence: wrong.fence + 9 }))).code, 'stale_fence');
  clock.advance(100_000);
  assert.is((await mesh.call('heartbeat', done)).lease_s, 200);
  assert.is((await mesh.call('complete', { ...done, result: 'late' })).status, 'completed');
  assert.is(rowOf(double, done.task_id)?.result, 'late');
  assert.is((await failureOf(mesh.call('complete', done))).code, 'stale_fence');
  await again[Symbol.asyncDispose]();

  clock.advance(200_000);
  await using third = await start();
  assert.is((await failureOf(third.node.mesh.call('complete', late))).code, 'stale_fence');
  assert.is(rowOf(double, late.task_id)?.status, 'running');
});

interface Lease {
  task_id: string;
  fence: number;
}

test.run();
