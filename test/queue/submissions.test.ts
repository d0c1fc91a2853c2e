import * as assert from 'uvu/assert';
import { canonicalJson } from '../../src/queue/work-hash.ts';
import { suite } from '../tooling/suite.ts';
import { alice, bob, claim, commits, completion, mustClaim, openTestQueue, refusal, work } from './open-test-queue.ts';

const submissions = suite('submissions');
const lists = suite('lists');
const retention = suite('retention');

submissions('what was submitted is there after a restart, byte for byte', async () => {
  await using test = await openTestQueue();
  const payload = { 'ключ\u0000': ['\ud83d\ude00', '\u0000', 1e300, -0.5, null, { ['__proto__']: [] }] };
  const { task_id, status, deduplicated } = await test.queue.submit(
    work({ payload, model_name: 'm', idempotency_key: 'k', priority: 9 }),
    alice,
  );
  assert.match(task_id, /^[0-9a-f]{32}$/);
  assert.is(status, 'queued');
  assert.is(deduplicated, false);
  const before = await test.queue.get({ task_id }, alice);
  await test.reopen();
  const after = await test.queue.get({ task_id }, alice);
  assert.equal(after, before);
  assert.is(JSON.stringify(after.task.payload), JSON.stringify(payload));
  assert.is((await mustClaim(test.queue)).task_id, task_id);
});

submissions('texts survive as they can, on every runtime the same', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ task_type: 'a\0b\ud800' }), alice);
  const task = await mustClaim(test.queue, alice, { supported_task_types: ['a\0b\ud800'], worker_id: 'w\0' });
  assert.is(task.task_id, task_id);
  assert.is(task.task_type, 'a\uFFFDb\uFFFD');
  assert.is(task.assigned_worker, 'w\uFFFD');
});

submissions('the same work under the same key is the same task', async () => {
  await using test = await openTestQueue();
  const first = await test.queue.submit(work({ idempotency_key: 'k', payload: { a: 1, b: { c: 2, d: 3 } } }), alice);
  const again = work({ idempotency_key: 'k', payload: { b: { d: 3, c: 2 }, a: 1 }, priority: 9 });
  const second = await test.queue.submit(again, bob);
  assert.equal(second, { ...first, deduplicated: true });
  await mustClaim(test.queue);
  assert.is((await test.queue.submit(again, alice)).status, 'running');
  assert.is((await test.queue.stats()).tasks, 1);
  assert.is(test.events.filter((event) => event.status === 'queued').length, 1);
});

submissions('other work under the same key is refused', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ idempotency_key: 'k', payload: { a: 1 } }), alice);
  for (const other of [
    { payload: { a: 2 } },
    { task_type: 'max', payload: { a: 1 } },
    { model_name: 'm', payload: { a: 1 } },
  ])
    assert.is(
      await refusal(test.queue.submit(work({ idempotency_key: 'k', ...other }), alice)),
      'idempotency_conflict',
    );
  assert.is((await test.queue.stats()).tasks, 1);
});

submissions('the same key in calls of the same moment makes one task', async () => {
  await using test = await openTestQueue();
  const calls = Array.from({ length: 20 }, () => test.queue.submit(work({ idempotency_key: 'k' }), alice));
  const answers = await Promise.all(calls);
  assert.is(new Set(answers.map((answer) => answer.task_id)).size, 1);
  assert.is(answers.filter((answer) => !answer.deduplicated).length, 1);
});

submissions('several tasks are accepted all or none', async () => {
  await using test = await openTestQueue({ maxTasks: 3 });
  const twice = [work({ idempotency_key: 'k' }), work({ idempotency_key: 'k' }), work()];
  const { tasks } = await test.queue.submitMany({ tasks: twice }, alice);
  assert.equal(
    tasks.map((task) => task.deduplicated),
    [false, true, false],
  );
  assert.is(tasks[0]?.task_id, tasks[1]?.task_id);
  const conflict = [work(), work({ idempotency_key: 'k', payload: 'other' })];
  assert.is(await refusal(test.queue.submitMany({ tasks: conflict }, alice)), 'idempotency_conflict');
  assert.is(await refusal(test.queue.submitMany({ tasks: [work(), work()] }, alice)), 'queue_full');
  assert.is((await test.queue.stats()).tasks, 2);
  const many = Array.from({ length: 101 }, () => work());
  assert.is(await refusal(test.queue.submitMany({ tasks: many }, alice)), 'invalid_params');
});

submissions('a full queue refuses, goes on otherwise, and takes more when there is room', async () => {
  await using test = await openTestQueue({ maxTasks: 5, maxStoredBytes: 100 });
  for (let n = 0; n < 5; n++) await test.queue.submit(work({ result_ttl_s: 10 }), alice);
  assert.is(await refusal(test.queue.submit(work(), alice)), 'queue_full');
  await test.queue.complete(completion(await mustClaim(test.queue), 'done'), alice);
  test.clock.advance(10_000);
  await commits();
  assert.is(await refusal(test.queue.submit(work({ payload: 'x'.repeat(100) }), alice)), 'queue_full');
  assert.is(await refusal(test.queue.submit(work({ payload: 'x'.repeat(50) }), alice)), 'ok');
});

submissions('a result is kept even when the queue is full', async () => {
  await using test = await openTestQueue({ maxStoredBytes: 10 });
  await test.queue.submit(work(), alice);
  const held = await mustClaim(test.queue);
  await test.queue.complete(completion(held, 'x'.repeat(100)), alice);
  assert.is((await test.queue.stats()).storedBytes, 104);
  await test.reopen();
  const { storedBytes, counts } = await test.queue.stats();
  assert.is(storedBytes, 104);
  assert.is(counts.completed, 1);
});

submissions('ids sort by age, even when the wall clock is set back', async () => {
  await using test = await openTestQueue();
  const ids: string[] = [];
  for (let n = 0; n < 10; n++) {
    ids.push((await test.queue.submit(work(), alice)).task_id);
    test.clock.jumpWall(-3_600_000);
    if (n === 5) await test.reopen();
  }
  assert.equal(ids, [...ids].sort());
  for (const id of ids) assert.is((await mustClaim(test.queue)).task_id, id);
});

submissions('canonical JSON tells values apart and key order not', () => {
  assert.is(canonicalJson({ b: [1, { y: 1, x: 2 }], a: 1 }), canonicalJson({ a: 1, b: [1, { x: 2, y: 1 }] }));
  const different = [{}, [], null, { a: 1 }, { a: '1' }, [['a', 1]], { $: [['a', 1]] }, { 1: 0, 0: 1 }, { 1: 1, 0: 0 }];
  assert.is(new Set(different.map(canonicalJson)).size, different.length);
});

lists('pages go on behind each other, oldest first, by state and by type', async () => {
  await using test = await openTestQueue();
  const ids: string[] = [];
  for (let n = 0; n < 25; n++)
    ids.push((await test.queue.submit(work({ task_type: n % 2 ? 'odd' : 'even', payload: n }), alice)).task_id);
  await mustClaim(test.queue);
  const all = async (changes: object): Promise<string[]> => {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const input = { task_types: [], limit: 4, detail: false, ...changes, cursor };
      const page: Awaited<ReturnType<typeof test.queue.list>> = await test.queue.list(input, alice);
      assert.ok(page.tasks.length <= 4);
      assert.ok(page.tasks.every((task) => task.payload === undefined && task.result === undefined));
      found.push(...page.tasks.map((task) => task.task_id));
      cursor = page.cursor;
    }
    return found;
  };
  assert.equal(await all({}), ids);
  assert.equal(await all({ status: 'queued' }), ids.slice(1));
  assert.equal(await all({ status: 'running' }), ids.slice(0, 1));
  assert.equal(
    await all({ task_types: ['odd', 'none'] }),
    ids.filter((_, n) => n % 2 === 1),
  );
  assert.equal(
    await all({ task_types: ['even'], status: 'queued' }),
    ids.filter((_, n) => n % 2 === 0 && n > 0),
  );
  assert.equal(await all({ task_types: ['none'] }), []);
});

lists('a filter by type looks through more tasks than one step holds', async () => {
  await using test = await openTestQueue();
  const common = { tasks: Array.from({ length: 100 }, () => work({ task_type: 'common' })) };
  await Promise.all(Array.from({ length: 50 }, () => test.queue.submitMany(common, alice)));
  const { task_id } = await test.queue.submit(work({ task_type: 'rare' }), alice);
  const input = { task_types: ['rare'], limit: 10, detail: false, cursor: '' };
  const page = await test.queue.list(input, alice);
  assert.equal(
    page.tasks.map((task) => task.task_id),
    [task_id],
  );
  assert.is(page.cursor, null);
  assert.is(await refusal(test.queue.list(input, { ...alice, signal: AbortSignal.abort() })), 'cancelled');
});

lists('details are shown on request, as many as fit', async () => {
  await using test = await openTestQueue({ maxListBytes: 2500 });
  for (let n = 0; n < 5; n++) await test.queue.submit(work({ payload: 'x'.repeat(1000) }), alice);
  await test.queue.submit(work({ payload: 'x'.repeat(5000) }), alice);
  const sizes: number[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const input = { task_types: [], limit: 50, detail: true, cursor };
    const page: Awaited<ReturnType<typeof test.queue.list>> = await test.queue.list(input, alice);
    assert.ok(page.tasks.every((task) => typeof task.payload === 'string' && task.result === null));
    sizes.push(page.tasks.length);
    cursor = page.cursor;
  }
  assert.equal(sizes, [2, 2, 1, 1]);
  assert.is((await test.queue.list({ task_types: [], limit: 50, detail: false, cursor: '' }, alice)).tasks.length, 6);
});

lists('a cursor that no list answered is refused', async () => {
  await using test = await openTestQueue();
  const input = { task_types: [], limit: 5, detail: false, cursor: "'; --" };
  assert.is(await refusal(test.queue.list(input, alice)), 'invalid_params');
});

retention('finished tasks are removed when their time is over, and nothing else', async () => {
  await using test = await openTestQueue();
  const ended: string[] = [];
  for (let n = 0; n < 3; n++) await test.queue.submit(work({ result_ttl_s: 100 + n }), alice);
  for (let n = 0; n < 3; n++) {
    const held = await mustClaim(test.queue);
    ended.push(held.task_id);
    if (n === 0) await test.queue.complete(completion(held, 'x'), alice);
    if (n === 1) await test.queue.fail({ ...held, error: '', retry: false }, alice);
    if (n === 2) await test.queue.cancel({ task_id: held.task_id, reason: '' }, alice);
  }
  const { task_id: queued } = await test.queue.submit(work({ result_ttl_s: 1, idempotency_key: 'k' }), alice);
  for (let n = 0; n < 3; n++) {
    test.clock.advance(n === 0 ? 100_000 : 1_000);
    await commits();
    const there = await Promise.all(ended.map((task_id) => refusal(test.queue.get({ task_id }, alice))));
    assert.is(there.filter((code) => code === 'task_not_found').length, n + 1);
  }
  assert.is((await test.queue.get({ task_id: queued }, alice)).task.status, 'queued');
  const { tasks, storedBytes } = await test.queue.stats();
  assert.is(tasks, 1);
  assert.is(storedBytes, 2);
});

retention('many tasks are removed in batches, after a restart too', async () => {
  await using test = await openTestQueue({ maxCommitBatch: 16 });
  const many = { tasks: Array.from({ length: 100 }, () => work({ result_ttl_s: 10 })) };
  const { tasks } = await test.queue.submitMany(many, alice);
  await Promise.all(tasks.map(({ task_id }) => test.queue.cancel({ task_id, reason: '' }, alice)));
  test.clock.jumpWall(10_000);
  await test.reopen();
  test.clock.advance(0);
  for (let batch = 0; batch < 8; batch++) await commits();
  assert.is((await test.queue.stats()).tasks, 0);
});

retention('a key can be used anew when its task is gone', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ idempotency_key: 'k', result_ttl_s: 1 }), alice);
  await test.queue.cancel({ task_id, reason: '' }, alice);
  test.clock.advance(1_000);
  await commits();
  const again = await test.queue.submit(work({ idempotency_key: 'k', payload: 'new' }), alice);
  assert.is(again.deduplicated, false);
  assert.ok((await test.queue.claim(claim(), alice)).task);
});

submissions.run();
lists.run();
retention.run();
