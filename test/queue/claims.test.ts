import { DatabaseSync } from 'node:sqlite';
import * as assert from 'uvu/assert';
import { queueQueries } from '../../src/queue/sqlite-tables.ts';
import { suite } from '../tooling/suite.ts';
import { alice, bob, claim, commits, completion, mustClaim, openTestQueue, refusal, work } from './open-test-queue.ts';

const order = suite('order of claims');
const waiting = suite('waiting claims and waits');

order('the highest priority goes first, then the oldest', async () => {
  await using test = await openTestQueue();
  const submitted: { priority: number; id: string }[] = [];
  for (const priority of [5, 1, 10, 5, 10, 1])
    submitted.push({ priority, id: (await test.queue.submit(work({ priority }), alice)).task_id });
  const expected = [10, 5, 1].flatMap((priority) => submitted.filter((task) => task.priority === priority));
  for (const { id } of expected) assert.is((await mustClaim(test.queue)).task_id, id);
  assert.is((await test.queue.claim(claim(), alice)).task, null);
});

order('of several types the best of all is taken, and others are left alone', async () => {
  await using test = await openTestQueue();
  const ids: string[] = [];
  for (const [task_type, priority] of [
    ['a', 5],
    ['b', 5],
    ['c', 10],
    ['b', 7],
    ['a', 7],
  ] as const)
    ids.push((await test.queue.submit(work({ task_type, priority }), alice)).task_id);
  const types = { supported_task_types: ['b', 'a', 'nothing'] };
  for (const index of [3, 4, 0, 1]) assert.is((await mustClaim(test.queue, alice, types)).task_id, ids[index]);
  assert.is((await test.queue.claim(claim(types), alice)).task, null);
  assert.is((await mustClaim(test.queue)).task_id, ids[2]);
});

order('a claim carries the work and the terms of the lease', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ payload: { a: [1, 'zwei', null] }, attempt_timeout_s: 5 }), alice);
  const task = await mustClaim(test.queue, bob, { worker_id: 'bob-1', lease_s: 12 });
  assert.equal(task.payload, { a: [1, 'zwei', null] });
  assert.is(task.status, 'running');
  assert.is(task.assigned_worker, 'bob-1');
  assert.is(task.assigned_peer, 'bob');
  assert.is(task.lease_s, 12);
  assert.is(task.attempt_timeout_s, 5);
  assert.is(task.lease_until, test.clock.nowMs() / 1000 + 12);
});

order('a delayed task blocks nobody and is ready when its time comes', async () => {
  await using test = await openTestQueue();
  const late = await test.queue.submit(work({ priority: 10, delay_s: 100 }), alice);
  const dated = await test.queue.submit(work({ next_attempt_at: test.clock.nowMs() / 1000 + 50 }), alice);
  const soon = await test.queue.submit(work({ priority: 1 }), alice);
  assert.is((await mustClaim(test.queue)).task_id, soon.task_id);
  assert.is((await test.queue.claim(claim(), alice)).task, null);
  test.clock.advance(50_000);
  await commits();
  assert.is((await mustClaim(test.queue)).task_id, dated.task_id);
  test.clock.advance(50_000);
  await commits();
  assert.is((await mustClaim(test.queue)).task_id, late.task_id);
});

order('a delayed task becomes ready after a restart, and when the wall clock is set', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ delay_s: 100_000 }), alice);
  await test.reopen();
  const claimed = test.queue.claim(claim({ wait_s: 600 }), alice);
  await commits();
  test.clock.jumpWall(100_000_000);
  test.clock.advance(60_000);
  assert.ok((await claimed).task);
});

order('no claim scans or sorts', async () => {
  await using test = await openTestQueue();
  const database = new DatabaseSync(test.path);
  for (const [name, query] of Object.entries(queueQueries)) {
    const marks = query.split('?').length - 1;
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all(...Array.from({ length: marks }, () => 1));
    const text = plan.map((step) => String(step.detail)).join('; ');
    assert.not.match(text, /TEMP B-TREE/, name);
    const bounded =
      /^SEARCH tasks USING/.test(text) || /^SCAN tasks USING COVERING INDEX (ready_of_any|delayed)/.test(text);
    assert.ok(bounded, `${name}: ${text}`);
  }
  database.close();
});

waiting('a waiting claim gets a task as soon as it is there', async () => {
  await using test = await openTestQueue();
  const claimed = test.queue.claim(claim({ supported_task_types: ['sum'], wait_s: 60 }), bob);
  await commits();
  assert.equal((await test.queue.stats()).taskTypes, ['sum']);
  await test.queue.submit(work({ task_type: 'other' }), alice);
  const { task_id } = await test.queue.submit(work(), alice);
  assert.is((await claimed).task?.task_id, task_id);
  const { waiters, taskTypes } = await test.queue.stats();
  assert.is(waiters, 0);
  assert.equal(taskTypes, []);
});

waiting('who waits longest is served first, whatever types they take', async () => {
  await using test = await openTestQueue();
  const served: number[] = [];
  const waits = [['sum'], [], ['sum', 'max'], ['sum'], []].map(async (supported_task_types, index) => {
    const { task } = await test.queue.claim(claim({ supported_task_types, wait_s: 60 }), alice);
    if (task !== null) served.push(index);
  });
  await commits();
  for (let n = 0; n < 5; n++) await test.queue.submit(work(), alice);
  await Promise.all(waits);
  assert.equal(served, [0, 1, 2, 3, 4]);
});

waiting('a newcomer does not overtake those who wait', async () => {
  await using test = await openTestQueue();
  const first = test.queue.claim(claim({ wait_s: 60 }), alice);
  await commits();
  const submitted = test.queue.submit(work(), alice);
  const newcomer = test.queue.claim(claim(), bob);
  assert.is((await first).task?.task_id, (await submitted).task_id);
  assert.is((await newcomer).task, null);
});

waiting('many tasks that come at once wake as many claims', async () => {
  await using test = await openTestQueue();
  const claims = Array.from({ length: 150 }, () => test.queue.claim(claim({ wait_s: 60 }), alice));
  await commits();
  const two = { tasks: Array.from({ length: 100 }, () => work()) };
  await Promise.all([test.queue.submitMany(two, alice), test.queue.submitMany(two, alice)]);
  const tasks = (await Promise.all(claims)).map(({ task }) => task?.task_id);
  assert.is(new Set(tasks).size, 150);
  assert.is((await test.queue.stats()).counts.queued, 50);
});

waiting('released, expired, failed, retried and promoted tasks wake a claim', async () => {
  await using test = await openTestQueue();
  const wakers: ((held: { task_id: string; fence: number }) => Promise<unknown>)[] = [
    (held) => test.queue.release({ ...held, reason: '', delay_s: 0 }, alice),
    async () => test.clock.advance(30_000),
    (held) => test.queue.fail({ ...held, error: '', retry: true, delay_s: 0 }, alice),
    async (held) => {
      await test.queue.cancel({ task_id: held.task_id, reason: '' }, alice);
      await test.queue.retry({ task_id: held.task_id, delay_s: 0 }, alice);
    },
    async (held) => {
      await test.queue.fail({ ...held, error: '', retry: true, delay_s: 20 }, alice);
      test.clock.advance(20_000);
    },
  ];
  for (const waker of wakers) {
    await test.queue.submit(work({ backoff_s: 0, max_attempts: 0 }), alice);
    const held = await mustClaim(test.queue);
    const claimed = test.queue.claim(claim({ wait_s: 600 }), bob);
    await commits();
    await waker(held);
    const { task } = await claimed;
    assert.is(task?.task_id, held.task_id);
    assert.is(task?.fence, held.fence + 1);
    if (task) await test.queue.complete(completion(task), bob);
  }
});

waiting('a claim that waited in vain is answered with nothing', async () => {
  await using test = await openTestQueue();
  const claimed = test.queue.claim(claim({ wait_s: 20 }), alice);
  await commits();
  test.clock.advance(20_000);
  assert.is((await claimed).task, null);
  assert.is((await test.queue.stats()).waiters, 0);
});

waiting('a thousand cancelled claims and waits leave nothing behind', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ task_type: 'other' }), alice);
  const timers = test.clock.pendingTimers;
  const control = new AbortController();
  const { signal } = control;
  const calls = Array.from({ length: 1000 }, (_, n) => [
    test.queue.claim(claim({ supported_task_types: ['sum', `t${n}`], wait_s: 60 }), { ...alice, signal }),
    test.queue.wait({ task_id, timeout_s: 60 }, { ...alice, signal }),
  ]).flat();
  const refusals = Promise.all(calls.map(refusal));
  await commits();
  assert.is((await test.queue.stats()).waiters, 2000);
  control.abort();
  assert.equal([...new Set(await refusals)], ['cancelled']);
  const { waiters, taskTypes } = await test.queue.stats();
  assert.is(waiters, 0);
  assert.equal(taskTypes, []);
  assert.is(test.clock.pendingTimers, timers);
  await test.queue.submit(work(), alice);
  assert.is((await mustClaim(test.queue, bob, { supported_task_types: ['sum'] })).task_type, 'sum');
});

waiting('a task that was taken for a claim given up meanwhile goes to the next one', async () => {
  await using test = await openTestQueue();
  const control = new AbortController();
  const stop = test.queue.subscribe((event) => {
    if (event.status === 'running') control.abort();
  });
  const givenUp = refusal(test.queue.claim(claim({ wait_s: 60 }), { ...alice, signal: control.signal }));
  await commits();
  const { task_id } = await test.queue.submit(work(), alice);
  assert.is(await givenUp, 'cancelled');
  stop();
  await commits();
  const next = await mustClaim(test.queue, bob);
  assert.is(next.task_id, task_id);
  assert.is(next.attempt, 1, 'the attempt that nobody made does not count');
  assert.is(next.fence, 2);
});

waiting('calls whose signal is aborted already change nothing', async () => {
  await using test = await openTestQueue();
  const context = { ...alice, signal: AbortSignal.abort() };
  assert.is(await refusal(test.queue.submit(work(), context)), 'cancelled');
  await test.queue.submit(work(), alice);
  assert.is(await refusal(test.queue.claim(claim(), context)), 'cancelled');
  const { task_id } = await mustClaim(test.queue);
  assert.is(await refusal(test.queue.cancel({ task_id, reason: '' }, context)), 'cancelled');
  assert.is(await refusal(test.queue.wait({ task_id, timeout_s: 5 }, context)), 'cancelled');
  assert.equal((await test.queue.stats()).counts, { queued: 0, running: 1, completed: 0, failed: 0, cancelled: 0 });
});

waiting('a wait hears progress and then the result', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: [1, 2] }), alice);
  const heard: unknown[] = [];
  const onProgress = (progress: unknown): void => void heard.push(progress);
  const waited = test.queue.wait({ task_id, timeout_s: 60 }, { ...alice, onProgress });
  await commits();
  const held = await mustClaim(test.queue);
  await test.queue.heartbeat({ task_id, fence: held.fence, progress: { done: 1 } }, alice);
  await test.queue.heartbeat({ task_id, fence: held.fence }, alice);
  await test.queue.complete(completion(held, 3), alice);
  const { task, done } = await waited;
  assert.is(done, true);
  assert.is(task.result, 3);
  assert.is(task.payload, undefined);
  assert.equal(heard, [
    { task_id, status: 'running', attempt: 1, progress: null },
    { task_id, status: 'running', attempt: 1, progress: { done: 1 } },
    { task_id, status: 'completed', attempt: 1, progress: { done: 1 } },
  ]);
});

waiting('a wait whose time is over shows the task as it is', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const waited = test.queue.wait({ task_id, timeout_s: 10 }, alice);
  await commits();
  test.clock.advance(10_000);
  assert.is((await waited).done, false);
  assert.is((await test.queue.wait({ task_id, timeout_s: 0 }, alice)).done, false);
  await test.queue.cancel({ task_id, reason: '' }, alice);
  assert.is((await test.queue.wait({ task_id, timeout_s: 60 }, alice)).done, true);
});

waiting('more waiters than may are refused, and the others go on waiting', async () => {
  await using test = await openTestQueue({ maxWaiters: 3 });
  const { task_id } = await test.queue.submit(work({ task_type: 'other' }), alice);
  const sum = { supported_task_types: ['sum'], wait_s: 60 };
  const first = test.queue.claim(claim(sum), alice);
  const others = [test.queue.claim(claim(sum), alice), test.queue.wait({ task_id, timeout_s: 60 }, alice)].map(refusal);
  await commits();
  assert.is(await refusal(test.queue.claim(claim(sum), alice)), 'too_many_waiters');
  assert.is(await refusal(test.queue.wait({ task_id, timeout_s: 60 }, alice)), 'too_many_waiters');
  assert.is((await test.queue.claim(claim({ supported_task_types: ['sum'] }), alice)).task, null, 'not waiting may');
  await test.queue.submit(work(), alice);
  assert.ok((await first).task);
  await test.queue.close();
  assert.equal(await Promise.all(others), ['mesh_down', 'mesh_down']);
});

waiting('a closed queue refuses everything and leaves no timer', async () => {
  await using test = await openTestQueue();
  const waits = [test.queue.claim(claim({ wait_s: 60 }), alice)].map(refusal);
  await test.queue.close();
  await test.queue.close();
  assert.equal(await Promise.all(waits), ['mesh_down']);
  assert.is(await refusal(test.queue.submit(work(), alice)), 'mesh_down');
  assert.is(await refusal(test.queue.get({ task_id: '0'.repeat(32) }, alice)), 'mesh_down');
  assert.is(test.clock.pendingTimers, 0);
});

order.run();
waiting.run();
