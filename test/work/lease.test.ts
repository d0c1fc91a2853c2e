import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { suite } from '../tooling/suite.ts';
import { bench, endless, settled } from './bench.ts';

const leases = suite('a worker keeps its lease');

leases('heartbeats go out at a third of the lease while the task runs, and end with it', async () => {
  const { run, started } = endless();
  const { queue, clock, worker, next } = bench(run, { leaseMs: 30_000, graceMs: 0 });
  queue.add();
  await started;
  clock.advance(9_999);
  assert.is(queue.of('heartbeat').length, 0);
  for (let beat = 1; beat <= 3; beat++) {
    clock.advance(1);
    await queue.called('heartbeat', beat);
    await settled();
    clock.advance(9_999);
    assert.is(queue.of('heartbeat').length, beat);
  }
  await worker.stop();
  await next('ended');
  clock.advance(60_000);
  assert.is(queue.of('heartbeat').length, 3);
  assert.is(clock.pendingTimers, 0);
  assert.is(queue.watchers, 0);
});

leases('progress goes out at once, later notes are merged, and the last one wins', async () => {
  let note: (value: unknown) => void = () => {};
  const { queue, clock, worker } = bench(
    (_task, { signal, progress }) => {
      note = progress;
      return new Promise((_done, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    { graceMs: 0 },
  );
  const id = queue.add();
  await queue.called('claim', 1);
  await settled();
  note({ done: 1 });
  clock.advance(0);
  await queue.called('heartbeat', 1);
  assert.equal(queue.task(id).progress, { done: 1 });
  await settled();
  for (let done = 2; done <= 50; done++) note({ done });
  clock.advance(249);
  assert.is(queue.of('heartbeat').length, 1);
  clock.advance(1);
  await queue.called('heartbeat', 2);
  assert.equal(queue.task(id).progress, { done: 50 });
  await worker.stop();
});

leases('a note that is too big is refused where it is made', async () => {
  const { queue, worker, next } = bench((_task, { progress }) => progress('x'.repeat(20_000)));
  const id = queue.add();
  assert.is((await next('ended')).outcome, 'failed');
  assert.match(queue.task(id).error ?? '', 'The progress note is 20002 bytes');
  await worker.stop();
});

leases('a heartbeat that does not get through is repeated sooner, with its progress', async () => {
  let note: (value: unknown) => void = () => {};
  const { queue, clock, worker } = bench(
    (_task, { signal, progress }) => {
      note = progress;
      return new Promise((_done, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    { graceMs: 0 },
  );
  const id = queue.add();
  await queue.called('claim', 1);
  await settled();
  queue.failNext('heartbeat', new MeshError('mesh_down', 'restarting'));
  note('half');
  clock.advance(0);
  await queue.called('heartbeat', 1);
  await settled();
  clock.advance(3_334);
  await queue.called('heartbeat', 2);
  assert.is(queue.task(id).progress, 'half');
  await worker.stop();
});

leases('a cancelled task aborts the runner at once, without a heartbeat, and is not settled', async () => {
  const { run, started } = endless();
  const { queue, worker, next } = bench(run);
  const id = queue.add();
  const signal = await started;
  await queue.called('wait');
  queue.cancel(id, 'changed my mind');
  const ended = await next('ended');
  assert.is(ended.outcome, 'cancelled');
  assert.match(ended.error ?? '', 'changed my mind');
  assert.is((signal.reason as MeshError).code, 'task_cancelled');
  assert.equal(queue.of('heartbeat').concat(queue.of('fail'), queue.of('release')), []);
  await worker.stop();
});

leases('a lost lease is heard of with the next heartbeat and aborts the runner', async () => {
  const { run, started } = endless();
  const { queue, clock, worker, next } = bench(run);
  const id = queue.add();
  const signal = await started;
  queue.handToAnother(id);
  clock.advance(10_000);
  assert.is((await next('ended')).outcome, 'lost');
  assert.is((signal.reason as MeshError).code, 'stale_fence');
  assert.equal(queue.of('fail').concat(queue.of('release'), queue.of('complete')), []);
  await worker.stop();
});

leases('a wait that breaks is taken up again with the next heartbeat', async () => {
  const { run, started } = endless();
  const { queue, clock, worker, next } = bench(run);
  queue.failNext('wait', new MeshError('too_many_waiters', 'full'));
  const id = queue.add();
  await started;
  clock.advance(10_000);
  await queue.called('wait', 2);
  queue.cancel(id);
  assert.is((await next('ended')).outcome, 'cancelled');
  await worker.stop();
});

leases.run();
