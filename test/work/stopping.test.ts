import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { suite } from '../tooling/suite.ts';
import { bench, endless, settled } from './bench.ts';
import { MemoryMesh } from './memory-mesh.ts';

const stopping = suite('a worker stops');

stopping('the waiting claim is given up and nothing is left over', async () => {
  const { queue, clock, worker } = bench(() => 1);
  await queue.called('claim');
  await worker.stop();
  await worker.done;
  assert.ok(queue.of('claim')[0]?.options.signal?.aborted);
  assert.is(clock.pendingTimers, 0);
});

stopping('a running task may end within the grace', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { queue, clock, worker, next } = bench(() => promise);
  const id = queue.add();
  await next('claimed');
  const stopped = worker.stop(10_000);
  clock.advance(9_999);
  resolve('done in time');
  await stopped;
  assert.is(queue.task(id).result, 'done in time');
});

stopping('after the grace the runner is aborted and the task released', async () => {
  const { run, started } = endless();
  const { queue, clock, worker, next } = bench(run);
  const id = queue.add();
  const signal = await started;
  const stopped = worker.stop(10_000);
  clock.advance(9_999);
  assert.not.ok(signal.aborted);
  clock.advance(1);
  await stopped;
  assert.is((await next('ended')).outcome, 'released');
  assert.is(queue.task(id).status, 'queued');
});

stopping('a runner that ignores the abort is left behind, and its task released', async () => {
  const { queue, clock, worker, next } = bench(() => new Promise(() => {}));
  const id = queue.add();
  await next('claimed');
  const stopped = worker.stop(0);
  await settled();
  clock.advance(5_000);
  await stopped;
  assert.is(queue.task(id).status, 'queued');
});

stopping('a lease that arrives with the stop is given back unworked', async () => {
  let ran = false;
  const queue = new MemoryMesh();
  const { worker } = bench(
    () => {
      ran = true;
    },
    {},
    queue,
  );
  await queue.called('claim');
  const id = queue.add();
  await worker.stop();
  assert.not.ok(ran);
  assert.is(queue.task(id).status, 'queued');
  assert.is(queue.of('release').length, 1);
});

stopping('the signal of the options stops it, before the first claim too', async () => {
  const early = bench(() => 1, { signal: AbortSignal.abort() });
  await early.worker.done;
  assert.is(early.queue.calls.length, 0);
  const controller = new AbortController();
  const later = bench(() => 1, { signal: controller.signal });
  await later.queue.called('claim');
  controller.abort();
  await later.worker.done;
});

stopping('when the node is away too, stopping still ends', async () => {
  const { queue, clock, worker, next } = bench(() => 'result');
  for (let count = 0; count < 20; count++) queue.failNext('complete', new MeshError('mesh_down', 'away'));
  queue.add();
  await queue.called('complete', 1);
  await settled();
  const stopped = worker.stop(0);
  for (let step = 0; step < 6; step++) {
    await settled();
    clock.advance(5_000);
  }
  await stopped;
  assert.is((await next('ended')).outcome, 'lost');
});

stopping(
  'a node that is known to be gone is not waited for: within 2 s of the stop, whatever was tried before',
  async () => {
    for (const failuresBefore of [1, 6]) {
      const { queue, clock, worker, next } = bench(() => 'result');
      for (let count = 0; count < 20; count++) queue.failNext('complete', new MeshError('mesh_down', 'away'));
      queue.add();
      for (let failures = 1; failures <= failuresBefore; failures++) {
        await queue.called('complete', failures);
        await settled();
        if (failures < failuresBefore) clock.advance(500 * 2 ** (failures - 1));
        await settled();
      }
      const startMs = clock.monotonicMs();
      let over = false;
      const stopped = worker.stop(10_000).then(() => {
        over = true;
      });
      while (!over) {
        await settled();
        if (!over) clock.advance(100);
      }
      await stopped;
      assert.ok(clock.monotonicMs() - startMs <= 2500, `${clock.monotonicMs() - startMs} ms`);
      assert.is((await next('ended')).outcome, 'lost');
    }
  },
);

stopping('a task that runs may use its grace, even when the node is gone', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { queue, clock, worker, next } = bench(() => promise);
  const id = queue.add();
  await next('claimed');
  queue.failNext('heartbeat', new MeshError('mesh_down', 'away'));
  const stopped = worker.stop(30_000);
  await settled();
  clock.advance(12_000);
  queue.failNext('complete', new MeshError('mesh_down', 'away'));
  resolve('done in time');
  await queue.called('complete');
  await settled();
  clock.advance(1_000);
  await stopped;
  assert.is(queue.task(id).result, 'done in time');
});

stopping('it is told once, with how many tasks still run', async () => {
  const { run, started } = endless();
  const { queue, worker, events } = bench(run);
  queue.add();
  await started;
  const stopped = worker.stop(10_000);
  await worker.stop(0);
  await stopped;
  const told = events.filter(({ type }) => type === 'stopping');
  assert.equal(told, [{ type: 'stopping', running: 1, graceMs: 10_000 }]);
});

stopping.run();
