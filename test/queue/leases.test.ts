import * as assert from 'uvu/assert';
import { backoffDelayMs } from '../../src/queue/backoff.ts';
import { Deadlines } from '../../src/queue/deadlines.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { alice, bob, claim, commits, completion, mustClaim, openTestQueue, refusal, work } from './open-test-queue.ts';

const leases = suite('leases');

leases('a lease without heartbeats runs out by itself, and the late worker is refused', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ backoff_s: 0 }), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 30 });
  test.clock.advance(29_999);
  await commits();
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'running');
  test.clock.advance(1);
  await commits();
  const { task } = await test.queue.get({ task_id }, alice);
  assert.is(task.status, 'queued');
  assert.is(task.assigned_worker, null);
  assert.match(task.error ?? '', 'no heartbeat for 30 s');
  assert.is(await refusal(test.queue.complete(completion(held), alice)), 'stale_fence');
  const next = await mustClaim(test.queue, bob);
  assert.is(next.fence, held.fence + 1);
  assert.is(next.attempt, 2);
  assert.is(await refusal(test.queue.heartbeat({ ...held }, alice)), 'stale_fence');
  assert.is(await refusal(test.queue.fail({ ...held, error: '', retry: true }, alice)), 'stale_fence');
  assert.is(await refusal(test.queue.release({ ...held, reason: '', delay_s: 0 }, alice)), 'stale_fence');
  assert.is((await test.queue.complete(completion(next), bob)).status, 'completed');
});

leases('heartbeats renew a lease, with the length that they ask for', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 10 });
  for (let beat = 0; beat < 5; beat++) {
    test.clock.advance(9_000);
    const { lease_s } = await test.queue.heartbeat({ task_id, fence: held.fence, progress: { beat } }, alice);
    assert.is(lease_s, 10);
  }
  const longer = await test.queue.heartbeat({ task_id, fence: held.fence, lease_s: 60 }, alice);
  assert.is(longer.lease_until, test.clock.nowMs() / 1000 + 60);
  test.clock.advance(59_000);
  await commits();
  const { task } = await test.queue.get({ task_id }, alice);
  assert.is(task.status, 'running');
  assert.equal(task.progress, { beat: 4 }, 'a heartbeat without progress keeps the last one');
  test.clock.advance(1_000);
  await commits();
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'queued');
});

leases('a heartbeat that is let in just before the expiry is written wins', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 10 });
  test.clock.advance(9_999);
  const beat = test.queue.heartbeat({ task_id, fence: held.fence }, alice);
  test.clock.advance(1);
  await beat;
  await commits();
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'running');
  test.clock.advance(10_000);
  await commits();
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'queued');
});

leases('an attempt that takes too long is ended, however alive its worker is', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ attempt_timeout_s: 60, max_attempts: 1 }), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 30 });
  for (let beat = 0; beat < 5; beat++) {
    test.clock.advance(11_000);
    await test.queue.heartbeat({ task_id, fence: held.fence }, alice);
  }
  test.clock.advance(5_000);
  await commits();
  const { task } = await test.queue.get({ task_id }, alice);
  assert.is(task.status, 'failed');
  assert.match(task.error ?? '', 'longer than 60 s');
  assert.is(await refusal(test.queue.complete(completion(held), alice)), 'stale_fence');
});

leases('attempts that expire are counted, and the last one leads to the dead letters', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ max_attempts: 2, backoff_s: 0 }), alice);
  for (let attempt = 1; attempt <= 2; attempt++) {
    assert.is((await mustClaim(test.queue, alice, { lease_s: 1 })).attempt, attempt);
    test.clock.advance(1_000);
    await commits();
  }
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'failed');
  assert.is((await test.queue.claim(claim(), alice)).task, null);
});

leases('each further attempt waits twice as long, up to an hour', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ max_attempts: 0, backoff_s: 1000 }), alice);
  for (const waitS of [1000, 2000, 3600, 3600]) {
    const held = await mustClaim(test.queue);
    await test.queue.fail({ ...held, error: 'again', retry: true }, alice);
    const { task } = await test.queue.get({ task_id }, alice);
    assert.is(task.next_attempt_at, test.clock.nowMs() / 1000 + waitS);
    test.clock.advance(waitS * 1000 - 1);
    await commits();
    assert.is((await test.queue.claim(claim(), alice)).task, null);
    test.clock.advance(1);
    await commits();
  }
});

leases('jitter shortens a wait by at most a fifth', () => {
  assert.is(
    backoffDelayMs(1000, 1, () => 0),
    1000,
  );
  assert.is(
    backoffDelayMs(1000, 3, () => 0.5),
    3600,
  );
  assert.ok(backoffDelayMs(1000, 1, () => 0.999_999) >= 800);
  assert.is(
    backoffDelayMs(1000, 1000, () => 0),
    3_600_000,
  );
  assert.is(
    backoffDelayMs(7_200_000, 2, () => 0),
    7_200_000,
    'a first wait beyond the hour is what was asked for',
  );
});

leases('a failure may set its own delay, or give up at once', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const first = await mustClaim(test.queue);
  await test.queue.fail({ ...first, error: 'later', retry: true, delay_s: 7 }, alice);
  assert.is((await test.queue.get({ task_id }, alice)).task.next_attempt_at, test.clock.nowMs() / 1000 + 7);
  test.clock.advance(7_000);
  await commits();
  const second = await mustClaim(test.queue);
  assert.is((await test.queue.fail({ ...second, error: 'never', retry: false }, alice)).status, 'failed');
});

leases('after a restart a running task has a full lease, the same fence and the same holder', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 30 });
  test.clock.advance(29_000);
  await test.reopen();
  assert.is((await test.queue.stats()).leases, 1);
  test.clock.advance(29_000);
  await commits();
  assert.is(await refusal(test.queue.heartbeat({ task_id, fence: held.fence }, bob)), 'stale_fence');
  await test.queue.heartbeat({ task_id, fence: held.fence }, alice);
  test.clock.advance(30_000);
  await commits();
  assert.is((await test.queue.get({ task_id }, alice)).task.status, 'queued');
});

leases('an attempt that became too old while the node was down gets one lease to report', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ attempt_timeout_s: 100 }), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 30 });
  test.clock.jumpWall(1_000_000);
  await test.reopen();
  test.clock.advance(29_000);
  await test.queue.heartbeat({ task_id, fence: held.fence }, alice);
  test.clock.advance(1_000);
  await commits();
  const { task } = await test.queue.get({ task_id }, alice);
  assert.match(task.error ?? '', 'attempt_timeout_s');
});

leases('a wall clock that is set does not end a lease', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue);
  test.clock.jumpWall(86_400_000);
  await commits();
  assert.is((await test.queue.complete(completion(held), alice)).status, 'completed');
});

leases('nothing is watched any more when tasks are done and the queue is closed', async () => {
  await using test = await openTestQueue();
  for (let n = 0; n < 20; n++) await test.queue.submit(work(), alice);
  for (let n = 0; n < 20; n++) await test.queue.complete(completion(await mustClaim(test.queue)), alice);
  assert.is((await test.queue.stats()).leases, 0);
  await test.queue.close();
  assert.is(test.clock.pendingTimers, 0);
});

leases('deadlines come in order, whatever is moved and dropped', () => {
  const clock = new FakeClock();
  const due: number[] = [];
  const deadlines = new Deadlines<number>(clock, (key) => due.push(key));
  for (let key = 0; key < 200; key++) deadlines.set(key, 1 + ((key * 7919) % 200));
  for (let key = 0; key < 200; key += 3) deadlines.drop(key);
  for (let key = 1; key < 200; key += 3) deadlines.set(key, 1000 - key);
  clock.advance(2000);
  const expected = Array.from({ length: 200 }, (_, key) => key).filter((key) => key % 3 !== 0);
  const atMs = (key: number): number => (key % 3 === 1 ? 1000 - key : 1 + ((key * 7919) % 200));
  assert.equal(
    due.map(atMs),
    expected.map(atMs).sort((a, b) => a - b),
  );
  assert.is(deadlines.size, 0);
  assert.is(clock.pendingTimers, 0);
});

leases.run();
