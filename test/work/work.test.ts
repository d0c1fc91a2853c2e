import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { TaskFailure } from '../../src/work/task-runner.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { bench, settled } from './bench.ts';
import { MemoryMesh } from './memory-mesh.ts';

const doing = suite('a worker does tasks');

doing('the result is handed in with the fence of the claim', async () => {
  const { queue, worker, next } = bench((task) => ({ got: task.payload }));
  const id = queue.add({ text: 'a' });
  const ended = await next('ended');
  assert.is(ended.outcome, 'completed');
  assert.equal(queue.task(id).result, { got: { text: 'a' } });
  assert.equal(queue.of('complete')[0]?.input.fence, 1);
  const claim = queue.of('claim')[0]?.input;
  assert.is(claim?.worker_id, 'w1');
  assert.equal(claim?.supported_task_types, ['text.stats']);
  assert.ok(Number(claim?.wait_s) >= 30, 'the claim waits at the node');
  await worker.stop();
});

doing('a runner that answers nothing completes with null', async () => {
  const { queue, worker, next } = bench(() => undefined);
  const id = queue.add();
  await next('ended');
  assert.is(queue.task(id).result, null);
  await worker.stop();
});

doing('no more than the concurrency runs at the same time, and no claim is made beyond it', async () => {
  const gates: (() => void)[] = [];
  const queue = new MemoryMesh();
  const { worker, next } = bench(() => new Promise<void>((resolve) => gates.push(resolve)), { concurrency: 2 }, queue);
  for (let count = 0; count < 3; count++) queue.add();
  await next('claimed');
  await next('claimed');
  assert.is(gates.length, 2);
  assert.is(queue.of('claim').length, 2);
  gates[0]?.();
  await next('claimed');
  assert.is(queue.of('claim').length, 3);
  for (const open of gates) open();
  await next('ended');
  await next('ended');
  await next('ended');
  await worker.stop();
});

doing('what the runner throws fails the attempt with its message', async () => {
  const { queue, worker, next } = bench(() => {
    throw new TypeError('no text');
  });
  const id = queue.add();
  const ended = await next('ended');
  assert.is(ended.outcome, 'failed');
  assert.is(ended.status, 'queued');
  assert.is(queue.task(id).error, 'no text');
  await worker.stop();
});

doing('a TaskFailure says whether and when another attempt is made', async () => {
  const { queue, worker, next } = bench((task) => {
    throw new TaskFailure('no use', task.payload === 1 ? { retry: false } : { delayMs: 1500 });
  });
  queue.add(1);
  assert.is((await next('ended')).status, 'failed');
  queue.add(2);
  await next('ended');
  const [dead, later] = queue.of('fail').map(({ input }) => input);
  assert.is(dead?.retry, false);
  assert.is(later?.retry, true);
  assert.is(later?.delay_s, 1.5);
  await worker.stop();
});

doing('a result that cannot be taken makes a dead letter that says why', async () => {
  const { queue, worker, next } = bench(() => 'x'.repeat(1024 * 1024));
  const id = queue.add();
  assert.is((await next('ended')).outcome, 'failed');
  assert.is(queue.task(id).status, 'failed');
  assert.match(queue.task(id).error ?? '', /result is \d+ bytes/);
  await worker.stop();
});

doing('completing is tried again while the node is away', async () => {
  const { queue, clock, worker, next } = bench(() => 1);
  queue.failNext('complete', new MeshError('mesh_down', 'restarting'));
  queue.failNext('complete', new MeshError('peer_unreachable', 'gone'));
  const id = queue.add();
  await queue.called('complete', 1);
  await settled();
  clock.advance(500);
  await queue.called('complete', 2);
  await settled();
  clock.advance(1000);
  assert.is((await next('ended')).outcome, 'completed');
  assert.is(queue.task(id).status, 'completed');
  await worker.stop();
});

doing('a stale fence ends the attempt as lost', async () => {
  const queue = new MemoryMesh();
  const { worker, next } = bench(
    (task) => {
      queue.handToAnother(task.task_id);
      return 1;
    },
    {},
    queue,
  );
  const id = queue.add();
  assert.is((await next('ended')).outcome, 'lost');
  assert.is(queue.task(id).status, 'running');
  await worker.stop();
});

const trouble = suite('a worker meets trouble with claims');

trouble('retryable errors are waited out, longer each time with jitter, and the count starts over', async () => {
  const queue = new MemoryMesh();
  for (let count = 0; count < 3; count++) queue.failNext('claim', new MeshError('mesh_down', 'restarting'));
  const { clock, worker, next } = bench(() => 1, {}, queue);
  const waits: number[] = [];
  for (let count = 1; count <= 3; count++) {
    const { retryInMs, error } = await next('claim_failed');
    assert.is(error.code, 'mesh_down');
    waits.push(Math.round(retryInMs));
    await settled();
    clock.advance(retryInMs - 1);
    assert.is(queue.of('claim').length, count);
    clock.advance(1);
    await queue.called('claim', count + 1);
  }
  assert.equal(waits, [500, 1000, 2000]);
  queue.add();
  assert.is((await next('ended')).outcome, 'completed');
  await worker.stop();
});

trouble('an error that another try cannot mend ends the worker with it', async () => {
  const queue = new MemoryMesh();
  queue.failNext('claim', new MeshError('unauthorized', 'not you'));
  const { worker } = bench(() => 1, {}, queue);
  try {
    await worker.done;
  } catch (thrown) {
    assert.is((thrown as MeshError).code, 'unauthorized');
    return;
  }
  throw new Error('the worker went on');
});

trouble('options that cannot be are refused', () => {
  assert.throws(() => bench(() => 1, { types: [] }), /at least one type/);
  assert.throws(() => bench(() => 1, { concurrency: 0 }), /concurrency/);
});

doing('types that peers refuse are told once, until it changes', async () => {
  const queue = new MemoryMesh();
  const refusal = { peer_id: 'p', task_types: ['a'], message: 'not a' };
  const answers = [[refusal], [refusal], [], [refusal]];
  const claimed = Promise.withResolvers<void>();
  const call = async (name: string, _input: unknown, { signal }: { signal?: AbortSignal } = {}) => {
    assert.is(name, 'claim');
    const refused = answers.shift();
    if (refused !== undefined) {
      clock.advance(60_000);
      return { task: null, refused };
    }
    claimed.resolve();
    return await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  };
  Object.assign(queue, { mesh: { ...queue.mesh, call } });
  const clock = new FakeClock();
  const { worker, events } = bench(() => null, { clock }, queue);
  await claimed.promise;
  assert.equal(
    events.map((event) => event.type === 'claim_refused' && event.refusals),
    [[refusal], [refusal]],
  );
  await worker.stop();
});

doing.run();
trouble.run();
