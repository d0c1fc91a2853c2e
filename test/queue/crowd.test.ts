/** Many workers at once, of which some fail, give back, die or give up: each lease is one worker's, each task is done once. */

import * as assert from 'uvu/assert';
import { suite } from '../tooling/suite.ts';
import { claim, commits, completion, openTestQueue, refusal, work } from './open-test-queue.ts';

const crowd = suite('a crowd of workers');

/** A small generator, so that a failing run can be repeated by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

crowd('every task is completed once, and no lease is held twice', async () => {
  const seed = Date.now() & 0x7fffffff;
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  await using test = await openTestQueue({ maxCommitBatch: 16 });
  const count = 200;
  const types = ['a', 'b', 'c'];
  const fences = new Map<string, number>();
  const held = new Set<string>();
  const done: string[] = [];
  let idle = 0;

  const submitter = async (): Promise<void> => {
    for (let n = 0; n < count / 4; n++) {
      const task_type = types[Math.floor(random() * 3)] ?? 'a';
      await test.queue.submit(work({ task_type, max_attempts: 0, backoff_s: random() < 0.5 ? 0 : 1 }), { caller: 's' });
    }
  };

  const worker = async (_: unknown, index: number): Promise<void> => {
    const caller = `w${index % 7}`;
    while (done.length < count) {
      const control = new AbortController();
      const supported_task_types = index % 2 ? [] : types.filter(() => random() < 0.5);
      const input = claim({ supported_task_types, lease_s: 5, wait_s: random() < 0.5 ? 3 : 0 });
      const claimed = test.queue.claim(input, { caller, signal: control.signal });
      if (random() < 0.1) void commits().then(() => control.abort());
      const task = await claimed.then(
        (answer) => answer.task,
        () => null,
      );
      if (task === null) {
        idle++;
        await commits();
        continue;
      }
      const { task_id, fence } = task;
      assert.ok(fence > (fences.get(task_id) ?? 0), 'the fence grows with every claim that is answered');
      fences.set(task_id, fence);
      assert.not(held.has(task_id), 'nobody else holds a valid lease');
      const fate = random();
      if (fate < 0.6) {
        held.add(task_id);
        if (random() < 0.5) await test.queue.heartbeat({ task_id, fence, progress: index }, { caller });
        held.delete(task_id);
        if ((await refusal(test.queue.complete(completion(task, caller), { caller }))) === 'ok') done.push(task_id);
      } else if (fate < 0.75) await refusal(test.queue.fail({ task_id, fence, error: 'no', retry: true }, { caller }));
      else if (fate < 0.9) await refusal(test.queue.release({ task_id, fence, reason: '', delay_s: 0 }, { caller }));
      // Else the worker dies: its lease runs out.
    }
  };

  /** Time passes while anybody is at work. */
  const time = async (): Promise<void> => {
    while (done.length < count) {
      await commits();
      test.clock.advance(100);
    }
    // Claims that wait for more get their answer.
    for (let n = 0; n < 10; n++) {
      test.clock.advance(1_000);
      await commits();
    }
  };

  await Promise.all([...Array.from({ length: 4 }, submitter), ...Array.from({ length: 30 }, worker), time()]);
  assert.is(done.length, count);
  assert.is(new Set(done).size, count, 'no task is completed twice');
  assert.ok(idle > 0);
  await commits();
  const { counts, leases, waiters } = await test.queue.stats();
  assert.equal(counts, { queued: 0, running: 0, completed: count, failed: 0, cancelled: 0 });
  assert.is(leases, 0);
  assert.is(waiters, 0);
});

crowd.run();
