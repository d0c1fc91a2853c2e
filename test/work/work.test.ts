import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { TaskFailure, type TaskRunner } from '../../src/work/task-runner.ts';
import { type WorkEvent, type WorkOptions, work } from '../../src/work/work.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryMesh } from './memory-mesh.ts';

interface Bench {
  queue: MemoryMesh;
  clock: FakeClock;
  worker: ReturnType<typeof work>;
  events: WorkEvent[];
  /** Resolves with the next event of the type that has not been asked for yet. */
  next<Type extends WorkEvent['type']>(type: Type): Promise<Extract<WorkEvent, { type: Type }>>;
}

function bench(run: TaskRunner, options: Partial<WorkOptions> = {}, queue = new MemoryMesh()): Bench {
  const clock = new FakeClock();
  const events: WorkEvent[] = [];
  const unread: WorkEvent[] = [];
  let wake = (): void => {};
  const worker = work(queue.mesh, {
    types: ['text.stats'],
    run,
    clock,
    random: () => 1 - 2 ** -20,
    workerId: 'w1',
    onEvent: (event) => {
      events.push(event);
      unread.push(event);
      wake();
    },
    ...options,
  });
  const next: Bench['next'] = async (type) => {
    for (;;) {
      const at = unread.findIndex((event) => event.type === type);
      if (at >= 0) return unread.splice(at, 1)[0] as never;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { queue, clock, worker, events, next };
}

/** A runner that goes on until it is told to stop, and tells when it has started. */
function endless(): { run: TaskRunner; started: Promise<AbortSignal> } {
  const { promise: started, resolve } = Promise.withResolvers<AbortSignal>();
  const run: TaskRunner = (_task, { signal }) =>
    new Promise((_done, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      resolve(signal);
    });
  return { run, started };
}

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

/** Lets all promises that can go on do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

doing.run();
leases.run();
stopping.run();
trouble.run();
