import * as assert from 'uvu/assert';
import { type TaskStatus, taskStatuses } from '../../src/mesh/task.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { suite } from '../tooling/suite.ts';
import { alice, bob, claim, commits, completion, mustClaim, openTestQueue, refusal, work } from './open-test-queue.ts';

const states = suite('states of a task');

interface Held {
  task_id: string;
  fence: number;
}

/** Brings a task of its own into each state, with the lease that was held on the way. */
const into: Record<TaskStatus, (queue: Queue) => Promise<Held>> = {
  async queued(queue) {
    const { task_id } = await queue.submit(work(), alice);
    return { task_id, fence: 1 };
  },
  async running(queue) {
    await queue.submit(work(), alice);
    return mustClaim(queue);
  },
  async completed(queue) {
    const held = await into.running(queue);
    await queue.complete(completion(held, 'done'), alice);
    return held;
  },
  async failed(queue) {
    const held = await into.running(queue);
    await queue.fail({ ...held, error: 'no', retry: false }, alice);
    return held;
  },
  async cancelled(queue) {
    const held = await into.running(queue);
    await queue.cancel({ task_id: held.task_id, reason: 'enough' }, alice);
    return held;
  },
};

const verbs: Record<string, (queue: Queue, held: Held) => Promise<unknown>> = {
  heartbeat: (queue, { task_id, fence }) => queue.heartbeat({ task_id, fence }, alice),
  complete: (queue, held) => queue.complete(completion(held), alice),
  fail: (queue, { task_id, fence }) => queue.fail({ task_id, fence, error: 'no', retry: true }, alice),
  release: (queue, { task_id, fence }) => queue.release({ task_id, fence, reason: '', delay_s: 0 }, alice),
  cancel: (queue, { task_id }) => queue.cancel({ task_id, reason: '' }, alice),
  retry: (queue, { task_id }) => queue.retry({ task_id, delay_s: 0 }, alice),
};

/** What each verb is answered in each state, when it comes from who held the last lease. */
const answers: Record<TaskStatus, Record<string, string>> = {
  queued: {
    heartbeat: 'stale_fence',
    complete: 'stale_fence',
    fail: 'stale_fence',
    release: 'stale_fence',
    cancel: 'cancelled',
    retry: 'wrong_state',
  },
  running: {
    heartbeat: 'running',
    complete: 'completed',
    fail: 'queued',
    release: 'queued',
    cancel: 'cancelled',
    retry: 'wrong_state',
  },
  completed: {
    heartbeat: 'wrong_state',
    complete: 'completed',
    fail: 'wrong_state',
    release: 'wrong_state',
    cancel: 'wrong_state',
    retry: 'wrong_state',
  },
  failed: {
    heartbeat: 'wrong_state',
    complete: 'wrong_state',
    fail: 'failed',
    release: 'wrong_state',
    cancel: 'wrong_state',
    retry: 'queued',
  },
  cancelled: {
    heartbeat: 'task_cancelled',
    complete: 'task_cancelled',
    fail: 'task_cancelled',
    release: 'task_cancelled',
    cancel: 'cancelled',
    retry: 'queued',
  },
};

for (const status of taskStatuses) {
  states(`every verb on a ${status} task does what the table says`, async () => {
    await using test = await openTestQueue();
    for (const [verb, call] of Object.entries(verbs)) {
      const held = await into[status](test.queue);
      const code = await refusal(call(test.queue, held));
      const { task } = await test.queue.get({ task_id: held.task_id }, alice);
      assert.is(code === 'ok' ? task.status : code, answers[status][verb], `${verb} on ${status}`);
      if (code !== 'ok') assert.is(task.status, status, `a refused ${verb} changes nothing`);
      if (task.status === 'queued') await test.queue.cancel({ task_id: held.task_id, reason: '' }, alice);
    }
  });
}

states('an unknown id is not found, whichever verb asks', async () => {
  await using test = await openTestQueue();
  for (const task_id of ['0'.repeat(32), 'f'.repeat(32)]) {
    for (const [verb, call] of Object.entries(verbs))
      assert.is(await refusal(call(test.queue, { task_id, fence: 1 })), 'task_not_found', verb);
    assert.is(await refusal(test.queue.get({ task_id }, alice)), 'task_not_found');
    assert.is(await refusal(test.queue.wait({ task_id, timeout_s: 1 }, alice)), 'task_not_found');
  }
  assert.is((await test.queue.stats()).waiters, 0);
});

states('a lease is of no use to another peer, or with another fence', async () => {
  await using test = await openTestQueue();
  const held = await into.running(test.queue);
  for (const verb of ['heartbeat', 'complete', 'fail', 'release']) {
    const call = verbs[verb];
    if (call === undefined) throw new Error('no such verb');
    assert.is(await refusal(call(test.queue, { ...held, fence: held.fence + 1 })), 'stale_fence');
  }
  assert.is(await refusal(test.queue.complete(completion(held), bob)), 'stale_fence');
  assert.is(await refusal(test.queue.heartbeat({ ...held }, bob)), 'stale_fence');
  assert.is((await test.queue.get({ task_id: held.task_id }, alice)).task.status, 'running');
});

states('a repeated completion is answered the same and keeps the first result', async () => {
  await using test = await openTestQueue();
  const held = await into.running(test.queue);
  const first = await test.queue.complete(completion(held, { sum: 3 }), alice);
  assert.equal(await test.queue.complete(completion(held, { sum: 4 }), alice), first);
  assert.equal((await test.queue.get({ task_id: held.task_id }, alice)).task.result, { sum: 3 });
  assert.is(test.events.filter((event) => event.status === 'completed').length, 1);
});

states('a repeated failure or release does not happen twice', async () => {
  await using test = await openTestQueue();
  for (const verb of ['fail', 'release']) {
    const held = await into.running(test.queue);
    const call = verbs[verb];
    if (call === undefined) throw new Error('no such verb');
    const first = await call(test.queue, held);
    const { task } = await test.queue.get({ task_id: held.task_id }, alice);
    assert.equal(await call(test.queue, held), first);
    assert.equal((await test.queue.get({ task_id: held.task_id }, alice)).task, task);
    await test.queue.cancel({ task_id: held.task_id, reason: '' }, alice);
  }
});

states('completing with status failed is failing', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ max_attempts: 1 }), alice);
  const held = await mustClaim(test.queue);
  const answer = await test.queue.complete({ ...completion(held), status: 'failed', error: 'no luck' }, alice);
  assert.is(answer.status, 'failed');
  const { task } = await test.queue.get({ task_id: held.task_id }, alice);
  assert.is(task.error, 'no luck');
  assert.is(task.result, null);
});

states('a release does not count as an attempt, a failure does', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ max_attempts: 1 }), alice);
  for (let round = 1; round <= 5; round++) {
    const held = await mustClaim(test.queue);
    assert.is(held.attempt, 1);
    assert.is(held.fence, round);
    await test.queue.release({ ...held, reason: 'busy', delay_s: 0 }, alice);
  }
  const held = await mustClaim(test.queue);
  await test.queue.fail({ ...held, error: 'broken', retry: true }, alice);
  const { task } = await test.queue.get({ task_id }, alice);
  assert.is(task.status, 'failed');
  assert.is(task.attempt, 1);
  assert.is(task.error, 'broken');
});

states('a retried task has fresh attempts, and its fence goes on growing', async () => {
  await using test = await openTestQueue();
  const held = await into.failed(test.queue);
  await test.queue.retry({ task_id: held.task_id, delay_s: 5 }, alice);
  assert.is((await test.queue.claim(claim(), alice)).task, null);
  test.clock.advance(5_000);
  await commits();
  const again = await mustClaim(test.queue);
  assert.is(again.task_id, held.task_id);
  assert.is(again.attempt, 1);
  assert.is(again.fence, held.fence + 1);
  assert.is(again.error, null);
  assert.is(await refusal(test.queue.complete(completion(held), alice)), 'stale_fence');
});

states('cancelling says whether it was done now', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  assert.is((await test.queue.cancel({ task_id, reason: 'enough' }, alice)).cancelled, true);
  assert.is((await test.queue.cancel({ task_id, reason: 'again' }, alice)).cancelled, false);
  assert.is((await test.queue.get({ task_id }, alice)).task.error, 'enough');
  assert.is((await test.queue.claim(claim(), alice)).task, null);
});

states('events tell each change of status once, in order', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue);
  await test.queue.heartbeat({ ...held, progress: 1 }, alice);
  await test.queue.release({ ...held, reason: '', delay_s: 0 }, alice);
  await test.queue.complete(completion(await mustClaim(test.queue)), alice);
  assert.equal(
    test.events.map((event) => event.status),
    ['queued', 'running', 'queued', 'running', 'completed'],
  );
  assert.ok(test.events.every((event) => event.task_id === task_id && event.task_type === 'sum'));
});

states.run();
