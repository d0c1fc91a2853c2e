import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { MeshError } from '../../src/mesh/errors.ts';
import { GroupCommit } from '../../src/queue/group-commit.ts';
import { suite } from '../tooling/suite.ts';
import { alice, claim, commits, completion, mustClaim, openTestQueue, refusal, work } from './open-test-queue.ts';

const group = suite('group commit');
const disk = suite('a disk that refuses');

/** Transactions on a list: what is appended counts after the commit. */
function listTransactions(failOn: { commit?: number } = {}) {
  let open: string[] | undefined;
  let commitCount = 0;
  const kept: string[][] = [];
  let checkpoints = 0;
  return {
    kept,
    get checkpoints() {
      return checkpoints;
    },
    append: (text: string): string => {
      open?.push(text);
      return text;
    },
    transactions: {
      begin: () => {
        open = [];
      },
      commit: () => {
        if (++commitCount === failOn.commit) throw new Error('no room');
        if (open !== undefined && open.length > 0) kept.push(open);
      },
      checkpoint: () => {
        checkpoints++;
        kept.push(['checkpoint']);
      },
      rollback: () => {
        open = undefined;
      },
      errorFor: (thrown: unknown) => new MeshError('storage_failed', String(thrown)),
    },
  };
}

group('calls of the same moment go into one commit, and more into the next', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 4,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const answers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((text) => commit.add(() => list.append(text))));
  assert.equal(answers, ['a', 'b', 'c', 'd', 'e', 'f']);
  assert.equal(list.kept, [
    ['a', 'b', 'c', 'd'],
    ['e', 'f'],
  ]);
});

group('a commit that writes much takes in no more', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 10,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const sizes = [60, 60, 10, 200, 10];
  await Promise.all(sizes.map((bytes) => commit.add(() => list.append(String(bytes)), { bytes })));
  assert.equal(list.kept, [['60', '60'], ['10', '200'], ['10']]);
});

group('when much was written it is moved to its place in a turn of its own, between two commits', async () => {
  const list = listTransactions();
  const bounds = { maxBatch: 10, maxBytes: 100, checkpointBytes: 150, maxPending: 100 };
  const commit = new GroupCommit(list.transactions, bounds);
  const sizes = [100, 100, 100, 10];
  await Promise.all(sizes.map((bytes) => commit.add(() => list.append(String(bytes)), { bytes })));
  assert.equal(list.kept, [['100'], ['100'], ['checkpoint'], ['100'], ['10']]);
  await commit.add(() => list.append('last'), { bytes: 60 });
  assert.is(list.checkpoints, 1);
  await setImmediate();
  assert.is(list.checkpoints, 2, 'it does not wait for the next commit');
});

group('a checkpoint that fails takes nothing with it', async () => {
  const list = listTransactions();
  const checkpoint = (): never => {
    throw new Error('no room');
  };
  const bounds = { maxBatch: 10, maxBytes: 100, checkpointBytes: 50, maxPending: 100 };
  const commit = new GroupCommit({ ...list.transactions, checkpoint }, bounds);
  for (const text of ['a', 'b']) assert.is(await commit.add(() => list.append(text), { bytes: 60 }), text);
  assert.equal(list.kept, [['a'], ['b']]);
});

group('a call that is refused fails alone', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 10,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const refused = (): never => {
    throw new MeshError('wrong_state', 'no');
  };
  const jobs = [() => list.append('a'), refused, () => list.append('b')];
  assert.equal(await Promise.all(jobs.map((job) => refusal(commit.add(job)))), ['ok', 'wrong_state', 'ok']);
  assert.equal(list.kept, [['a', 'b']]);
});

group('a call that breaks takes nothing of the others with it', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 10,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const broken = (): never => {
    list.append('half');
    throw new Error('broken');
  };
  const jobs = [() => list.append('a'), broken, () => list.append('b')];
  assert.equal(await Promise.all(jobs.map((job) => refusal(commit.add(job)))), ['ok', 'storage_failed', 'ok']);
  assert.equal(list.kept.flat(), ['a', 'b']);
});

group('a commit that fails fails all of its calls and none of the next', async () => {
  const list = listTransactions({ commit: 1 });
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 2,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const committed: string[] = [];
  const jobs = ['a', 'b', 'c'].map((text) =>
    refusal(commit.add(() => list.append(text), { committed: (value) => void committed.push(value) })),
  );
  assert.equal(await Promise.all(jobs), ['storage_failed', 'storage_failed', 'ok']);
  assert.equal(list.kept, [['c']]);
  assert.equal(committed, ['c']);
});

group('what follows a commit happens in order, before anybody is answered', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 10,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const seen: string[] = [];
  const add = (text: string) =>
    commit.add(() => text, { committed: () => void seen.push(text) }).then(() => seen.push(`${text} answered`));
  await Promise.all([add('a'), add('b')]);
  assert.equal(seen, ['a', 'b', 'a answered', 'b answered']);
});

group('more calls than may wait are refused as busy', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 2,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 3,
  });
  const codes = await Promise.all(Array.from({ length: 5 }, () => refusal(commit.add(() => list.append('x')))));
  assert.equal(codes, ['ok', 'ok', 'ok', 'busy', 'busy']);
});

group('closing finishes what was asked for', async () => {
  const list = listTransactions();
  const commit = new GroupCommit(list.transactions, {
    maxBatch: 2,
    maxBytes: 100,
    checkpointBytes: 1_000,
    maxPending: 100,
  });
  const jobs = Array.from({ length: 5 }, (_, n) => refusal(commit.add(() => list.append(String(n)))));
  commit.close();
  assert.equal(await Promise.all([...jobs, refusal(commit.add(() => list.append('late')))]), [
    ...Array.from({ length: 5 }, () => 'ok'),
    'mesh_down',
  ]);
  assert.equal(list.kept.flat(), ['0', '1', '2', '3', '4']);
  await setImmediate();
});

disk('a full disk refuses what is new, keeps what was accepted, and goes on reading', async () => {
  await using test = await openTestQueue();
  const { task_id } = await test.queue.submit(work({ payload: 'first', max_attempts: 0 }), alice);
  await test.reopen({}, 40);
  const accepted = [task_id];
  let refused = 0;
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 10 }, () => test.queue.submit(work({ payload: 'x'.repeat(5000) }), alice));
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'fulfilled') accepted.push(outcome.value.task_id);
      else {
        assert.is(outcome.reason.code, 'storage_failed');
        assert.is(outcome.reason.retryable, true);
        refused++;
      }
    }
  }
  assert.ok(refused > 50);
  assert.is((await test.queue.get({ task_id }, alice)).task.payload, 'first');
  const page = { task_types: [], limit: 1000, detail: false, cursor: '' };
  const listed = async () => (await test.queue.list(page, alice)).tasks.map((task) => task.task_id);
  assert.equal(await listed(), accepted);
  const { tasks, counts } = await test.queue.stats();
  assert.is(tasks, accepted.length);
  assert.is(counts.queued, accepted.length);
  await test.reopen({});
  assert.equal(await listed(), accepted);
  assert.is(await refusal(test.queue.submit(work({ payload: 'x'.repeat(5000) }), alice)), 'ok');
});

disk('a claim that waits survives a submission that was refused, and gets the next', async () => {
  await using test = await openTestQueue();
  await test.reopen({}, 20);
  const claimed = test.queue.claim(claim({ wait_s: 600, supported_task_types: ['sum'] }), alice);
  await commits();
  assert.is(await refusal(test.queue.submit(work({ payload: 'x'.repeat(60_000) }), alice)), 'storage_failed');
  assert.equal((await test.queue.stats()).counts.queued, 0);
  const { task_id } = await test.queue.submit(work({ payload: 'small' }), alice);
  assert.is((await claimed).task?.task_id, task_id);
});

disk('an expiry that cannot be written is tried again', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work({ backoff_s: 0 }), alice);
  const held = await mustClaim(test.queue, alice, { lease_s: 10 });
  // Another program holds the file: the queue gives up on the commit after a second.
  const other = new DatabaseSync(test.path);
  other.exec('BEGIN IMMEDIATE');
  test.clock.advance(10_000);
  await commits();
  assert.is(await refusal(test.queue.complete(completion(held), alice)), 'storage_failed');
  other.exec('ROLLBACK');
  other.close();
  test.clock.advance(1_000);
  await commits();
  assert.is((await test.queue.get({ task_id: held.task_id }, alice)).task.status, 'queued');
});

group.run();
disk.run();
