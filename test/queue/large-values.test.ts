import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import * as assert from 'uvu/assert';
import type { MeshError } from '../../src/mesh/errors.ts';
import { suite } from '../tooling/suite.ts';
import {
  alice,
  bob,
  claim,
  commits,
  completion,
  mustClaim,
  openTestQueue,
  refusal,
  type TestQueue,
  work,
} from './open-test-queue.ts';

const large = suite('large payloads and results');

/** 64 KiB of JSON with its quotes, and one byte less. */
const atTheLimit = 'x'.repeat(65_534);
const belowIt = 'x'.repeat(65_533);
const megabyte = 'ä'.repeat(500_000);

const filesOf = ({ path }: TestQueue): string[] => readdirSync(`${path}-values`);

const onlyFile = (test: TestQueue): string => {
  const [name = '', ...others] = filesOf(test);
  assert.equal(others, []);
  return join(`${test.path}-values`, name);
};

const failureOf = (call: Promise<unknown>): Promise<MeshError> =>
  call.then(
    () => assert.unreachable(),
    (error) => error,
  );

const listing = { task_types: [], limit: 10, detail: true, cursor: '' };

large(
  'one of 64 KiB or more is a file for its owner alone, and comes back whole wherever it is asked for',
  async () => {
    await using test = await openTestQueue();
    const { task_id } = await test.queue.submit(work({ payload: atTheLimit }), alice);
    assert.is(filesOf(test).length, 1);
    if (process.platform !== 'win32')
      assert.is(statSync(join(`${test.path}-values`, filesOf(test)[0] ?? '')).mode & 0o777, 0o600);
    const claimed = await mustClaim(test.queue);
    assert.is(claimed.payload, atTheLimit);
    await test.queue.complete(completion(claimed, { all: megabyte }), alice);
    assert.is(filesOf(test).length, 2);
    const check = async (): Promise<void> => {
      const { task } = await test.queue.get({ task_id }, alice);
      assert.equal([task.payload, task.result], [atTheLimit, { all: megabyte }]);
      const waited = await test.queue.wait({ task_id, timeout_s: 0 }, alice);
      assert.equal(waited.task.result, { all: megabyte });
      const [listed] = (await test.queue.list(listing, alice)).tasks;
      assert.equal([listed?.payload, listed?.result], [atTheLimit, { all: megabyte }]);
    };
    await check();
    await test.reopen();
    await check();
    assert.is(filesOf(test).length, 2);
    assert.is((await test.queue.stats()).storedBytes, 65_536 + 1_000_000 + '{"all":""}'.length);
  },
);

large('one that is smaller is a row', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: belowIt }), alice);
  assert.equal(filesOf(test), []);
  assert.is((await test.queue.get({ task_id }, alice)).task.payload, belowIt);
});

large('a batch with large and small ones is taken whole', async () => {
  await using test = await openTestQueue();
  const payloads = [megabyte, 'small', atTheLimit];
  const { tasks } = await test.queue.submitMany({ tasks: payloads.map((payload) => work({ payload })) }, alice);
  assert.is(filesOf(test).length, 2);
  for (const [index, { task_id }] of tasks.entries())
    assert.is((await test.queue.get({ task_id }, alice)).task.payload, payloads[index]);
});

large('its files go when the task does', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte, result_ttl_s: 5 }), alice);
  await test.queue.complete(completion(await mustClaim(test.queue), megabyte), alice);
  assert.is(filesOf(test).length, 2);
  test.clock.advance(6_000);
  await commits();
  assert.is(await refusal(test.queue.get({ task_id }, alice)), 'task_not_found');
  await test.queue.close();
  assert.equal(filesOf(test), []);
});

large('what is refused, or was there before, leaves no file', async () => {
  await using test = await openTestQueue({ maxTasks: 2 });
  const keyed = work({ payload: megabyte, idempotency_key: 'k' });
  // At once: the second one finds the first only when both are written.
  const [one, other] = await Promise.all([test.queue.submit(keyed, alice), test.queue.submit(keyed, alice)]);
  assert.is(one.task_id, other.task_id);
  assert.is((await test.queue.submit(keyed, alice)).deduplicated, true);
  const conflict = work({ payload: `${megabyte}!`, idempotency_key: 'k' });
  assert.is(await refusal(test.queue.submit(conflict, alice)), 'idempotency_conflict');
  const tooMany = { tasks: [work({ payload: megabyte }), work({ payload: megabyte })] };
  assert.is(await refusal(test.queue.submitMany(tooMany, alice)), 'queue_full');
  const gone = AbortSignal.abort();
  assert.is(await refusal(test.queue.submit(work({ payload: megabyte }), { ...alice, signal: gone })), 'cancelled');
  const held = await mustClaim(test.queue);
  assert.is(await refusal(test.queue.complete(completion(held, megabyte), bob)), 'stale_fence');
  const stale = completion({ ...held, fence: held.fence + 1 }, megabyte);
  assert.is(await refusal(test.queue.complete(stale, alice)), 'stale_fence');
  await test.queue.close();
  assert.is(filesOf(test).length, 1);
});

large('a result that is sent twice is kept once', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work(), alice);
  const done = completion(await mustClaim(test.queue), megabyte);
  const [first, second] = await Promise.all([test.queue.complete(done, alice), test.queue.complete(done, alice)]);
  assert.equal(first, second);
  assert.equal(await test.queue.complete(done, alice), first);
  await test.queue.close();
  assert.is(filesOf(test).length, 1);
});

large('a claim that is given up while its payload is read gives the task back', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte }), alice);
  const giveUp = new AbortController();
  const claimed = new Promise<void>((resolve) => {
    test.queue.subscribe(({ status }) => void (status === 'running' && resolve()));
  });
  const call = refusal(test.queue.claim(claim(), { ...alice, signal: giveUp.signal }));
  await claimed;
  giveUp.abort();
  assert.is(await call, 'cancelled');
  await commits();
  const { task } = await test.queue.get({ task_id }, alice);
  assert.equal([task.status, task.payload], ['queued', megabyte]);
});

large('files that nothing names, left by a crash, go when the queue is opened', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte }), alice);
  writeFileSync(join(`${test.path}-values`, 'left-behind'), 'x');
  await test.reopen();
  await test.queue.close();
  assert.is(filesOf(test).length, 1);
  await test.reopen();
  assert.is((await test.queue.get({ task_id }, alice)).task.payload, megabyte);
});

large('files whose database was moved away are kept aside for it', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte }), alice);
  await test.queue.close();
  renameSync(test.path, `${test.path}.away`);
  await test.reopen();
  await test.queue.close();
  const folder = dirname(test.path);
  const [aside, ...others] = readdirSync(folder).filter((name) => name.startsWith('queue.sqlite-values-'));
  assert.equal(others, []);
  rmSync(`${test.path}-values`, { recursive: true });
  renameSync(join(folder, aside ?? ''), `${test.path}-values`);
  renameSync(`${test.path}.away`, test.path);
  await test.reopen();
  assert.is((await test.queue.get({ task_id }, alice)).task.payload, megabyte);
});

large('a file that is lost or damaged is told with its task, and hides no other one', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte }), alice);
  const other = await test.queue.submit(work({ payload: 'here' }), alice);
  const path = onlyFile(test);
  const whole = readFileSync(path, 'utf8');
  const damages: [string, () => void][] = [
    ['data_corrupt', () => writeFileSync(path, whole.slice(0, 1000))],
    ['data_corrupt', () => writeFileSync(path, '')],
    ['data_corrupt', () => writeFileSync(path, whole.replace('ä', 'ö'))],
    ['data_corrupt', () => rmSync(path)],
    ['storage_failed', () => mkdirSync(path)],
  ];
  for (const [code, damage] of damages) {
    damage();
    const failure = await failureOf(test.queue.get({ task_id }, alice));
    assert.is(failure.code, code);
    assert.ok(failure.message.includes(path), failure.message);
    const listed = (await test.queue.list(listing, alice)).tasks;
    assert.equal(
      listed.map((task) => [task.task_id, task.payload]),
      [
        [task_id, undefined],
        [other.task_id, 'here'],
      ],
    );
  }
  assert.is((await test.queue.cancel({ task_id, reason: '' }, alice)).cancelled, true);
});

large('a task whose payload cannot be read keeps nobody from working, and comes when it can be again', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: megabyte, priority: 10, max_attempts: 1 }), alice);
  const path = onlyFile(test);
  renameSync(path, `${test.path}.elsewhere`);
  const waiting = mustClaim(test.queue, alice, { wait_s: 3600 });
  const other = await test.queue.submit(work({ payload: 'here' }), alice);
  assert.is((await waiting).task_id, other.task_id);
  assert.is((await test.queue.claim(claim(), alice)).task, null);
  const [parked] = (await test.queue.list({ ...listing, detail: false }, alice)).tasks;
  assert.equal([parked?.task_id, parked?.status, parked?.attempt], [task_id, 'queued', 0]);
  assert.match(parked?.error ?? '', /payload cannot be read/);
  renameSync(`${test.path}.elsewhere`, path);
  test.clock.advance(30_000);
  const claimed = await mustClaim(test.queue, alice, { wait_s: 10 });
  assert.equal([claimed.task_id, claimed.attempt, claimed.payload], [task_id, 1, megabyte]);
});

large('a lost result is told as one', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work(), alice);
  await test.queue.complete(completion(await mustClaim(test.queue), megabyte), alice);
  rmSync(onlyFile(test));
  assert.match(
    (await failureOf(test.queue.get({ task_id }, alice))).message,
    /The result of task .* submit the task anew/,
  );
});

large('files of which a queue knows none are kept aside, whether it is empty or has others', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ payload: megabyte }), alice);
  const values = `${test.path}-values`;
  const asides = (): string[] =>
    readdirSync(dirname(test.path)).filter((name) => name.startsWith('queue.sqlite-values-'));
  await test.queue.close();
  writeFileSync(test.path, '');
  await test.reopen();
  assert.equal([filesOf(test).length, asides().length], [0, 1]);
  await test.queue.submit(work({ payload: megabyte }), alice);
  await test.queue.close();
  rmSync(values, { recursive: true });
  renameSync(join(dirname(test.path), asides()[0] ?? ''), values);
  await test.reopen();
  assert.equal([filesOf(test).length, asides().length], [0, 1]);
});

large('a folder that is open to others is closed to them, and what is no file in it stays', async () => {
  if (process.platform === 'win32') return;
  await using test = await openTestQueue();
  const values = `${test.path}-values`;
  await test.queue.submit(work({ payload: megabyte }), alice);
  mkdirSync(join(values, 'misplaced'));
  chmodSync(values, 0o755);
  await test.reopen();
  assert.is(statSync(values).mode & 0o777, 0o700);
  assert.is(filesOf(test).length, 2);
});

large('where no file can be written the task is refused, and small ones are taken', async () => {
  await using test = await openTestQueue();
  await test.queue.close();
  await test.reopen();
  rmSync(`${test.path}-values`, { recursive: true });
  writeFileSync(`${test.path}-values`, 'in the way');
  assert.is(await refusal(test.queue.submit(work({ payload: megabyte }), alice)), 'storage_failed');
  assert.is(await refusal(test.queue.submit(work({ payload: 'small' }), alice)), 'ok');
  assert.is((await test.queue.stats()).tasks, 1);
  await test.queue.close();
  assert.is(await refusal(test.reopen()), 'storage_failed');
  rmSync(`${test.path}-values`);
  mkdirSync(`${test.path}-values`);
  await test.reopen();
  assert.ok(existsSync(`${test.path}-values`));
});

large('a queue from before files had their table keeps its large tasks', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: 'to be large', result_ttl_s: 5 }), alice);
  await test.queue.close();
  const database = new DatabaseSync(test.path);
  database.exec('DROP TABLE files; PRAGMA user_version = 2;');
  database.prepare('UPDATE payloads SET json = ?').run(JSON.stringify(megabyte));
  database.prepare('UPDATE tasks SET stored_bytes = ?').run(1_000_002);
  database.close();
  await test.reopen();
  const held = await mustClaim(test.queue);
  assert.is(held.payload, megabyte);
  await test.queue.complete(completion(held, megabyte), alice);
  assert.is((await test.queue.get({ task_id }, alice)).task.result, megabyte);
  test.clock.advance(6_000);
  await commits();
  await test.queue.close();
  assert.equal(filesOf(test), []);
});

large.run();
