import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { openCache } from '../../src/cache/cache.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { openQueue } from '../../src/queue/engine.ts';
import { lockDataFolder } from '../../src/queue/lock.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { commandFor, currentRuntime } from '../tooling/runtimes.ts';
import { suite } from '../tooling/suite.ts';
import { alice, openTestQueue, work } from './open-test-queue.ts';

const lock = suite('the lock of a data folder');
const file = suite('a damaged queue file');

const holder = new URL('lock-holder.ts', import.meta.url);

function codeOf(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (thrown) {
    return thrown instanceof MeshError ? thrown.code : String(thrown);
  }
}

lock('a second holder in the same process is refused, and told what to do', async () => {
  await using folder = await tempFolder();
  const held = lockDataFolder(folder.path);
  try {
    lockDataFolder(folder.path);
    assert.unreachable();
  } catch (thrown) {
    assert.instance(thrown, MeshError);
    assert.is((thrown as MeshError).code, 'data_folder_locked');
    assert.ok((thrown as MeshError).message.includes(folder.path));
    assert.match((thrown as MeshError).message, '--data');
  }
  held.release();
  held.release();
  lockDataFolder(folder.path).release();
});

lock('a folder that another process holds is refused until that process is gone, by kill -9 too', async () => {
  await using folder = await tempFolder();
  const { executable, args } = commandFor(currentRuntime, fileURLToPath(holder));
  const child = spawn(executable, [...args, folder.path], { stdio: ['pipe', 'pipe', 'inherit'], env: process.env });
  const exit = once(child, 'exit');
  const [said] = await once(child.stdout, 'data');
  assert.is(String(said).trim(), 'locked');
  assert.is(
    codeOf(() => lockDataFolder(folder.path)),
    'data_folder_locked',
  );
  child.kill('SIGKILL');
  await exit;
  lockDataFolder(folder.path).release();
});

lock('a folder that another thread holds is refused', async () => {
  await using folder = await tempFolder();
  const held = lockDataFolder(folder.path);
  const ask = async (): Promise<unknown> => {
    const worker = new Worker(holder, { workerData: folder.path });
    const [said] = await once(worker, 'message');
    const exit = once(worker, 'exit');
    worker.postMessage('end');
    await exit;
    return said;
  };
  assert.is(await ask(), 'data_folder_locked');
  held.release();
  assert.is(await ask(), 'locked');
});

lock('a folder that is not there is made for its owner alone', async () => {
  await using folder = await tempFolder();
  const path = folder.file('deep/inside');
  using _held = lockDataFolder(path);
  if (process.platform !== 'win32') assert.is(statSync(path).mode & 0o777, 0o700);
});

lock('a folder that can never be made is refused instead of being tried for ever', () => {
  if (process.platform !== 'linux') return;
  for (const path of ['/proc/x', '/proc/x/y/z']) {
    assert.is(
      codeOf(() => lockDataFolder(path)),
      'invalid_config',
    );
  }
});

lock(
  'the databases are for their owner alone, also those of an earlier version, and what SQLite puts beside them',
  async () => {
    if (process.platform === 'win32') return;
    await using folder = await tempFolder();
    writeFileSync(folder.file('cache.sqlite'), '', { mode: 0o644 });
    using _held = lockDataFolder(folder.path);
    const queue = await openQueue(options(folder.file('queue.sqlite')));
    await using _cache = await openCache(options(folder.file('cache.sqlite')));
    const modes = readdirSync(folder.path).map((name) => [
      name,
      (statSync(folder.file(name)).mode & 0o777).toString(8),
    ]);
    await queue.close();
    assert.ok(modes.length >= 5, `${modes}`);
    assert.equal(
      modes.filter(([, mode]) => mode !== '600'),
      [
        ['cache.sqlite-values', '700'],
        ['queue.sqlite-values', '700'],
      ],
    );
  },
);

lock('what is no folder, or no lock, is refused with what to do', async () => {
  await using folder = await tempFolder();
  writeFileSync(folder.file('a-file'), '');
  assert.is(
    codeOf(() => lockDataFolder(folder.file('a-file'))),
    'invalid_config',
  );
  assert.is(
    codeOf(() => lockDataFolder(folder.file('a-file/inside'))),
    'invalid_config',
  );
  writeFileSync(folder.file('lock.sqlite'), 'garbage'.repeat(1000));
  assert.is(
    codeOf(() => lockDataFolder(folder.path)),
    'data_corrupt',
  );
});

const options = (path: string) => ({ path, limits: defaultLimits, clock: new FakeClock(), random: Math.random });

async function openFails(path: string): Promise<MeshError> {
  let queue: Queue;
  try {
    queue = await openQueue(options(path));
  } catch (thrown) {
    assert.instance(thrown, MeshError);
    return thrown as MeshError;
  }
  await queue.close();
  throw new Error('it was opened');
}

file('garbage is refused, left as it is, and the message says what to do', async () => {
  await using folder = await tempFolder();
  const path = folder.file('queue.sqlite');
  const garbage = Buffer.from('this is not a database. '.repeat(1000));
  writeFileSync(path, garbage);
  const error = await openFails(path);
  assert.is(error.code, 'data_corrupt');
  assert.ok(error.message.includes(path));
  assert.match(error.message, /backup.*move it away/);
  assert.equal(readFileSync(path), garbage);
});

file('damage in the middle is found when the file is opened', async () => {
  await using test = await openTestQueue();
  const many = { tasks: Array.from({ length: 100 }, () => work({ payload: 'x'.repeat(500) })) };
  for (let n = 0; n < 10; n++) await test.queue.submitMany(many, alice);
  await test.queue.close();
  const bytes = readFileSync(test.path);
  assert.ok(bytes.length > 200_000);
  bytes.fill(0xa5, 40_960, 122_880);
  writeFileSync(test.path, bytes);
  assert.is((await openFails(test.path)).code, 'data_corrupt');
});

file('a file that was cut off is refused', async () => {
  await using test = await openTestQueue();
  const many = { tasks: Array.from({ length: 100 }, () => work({ payload: 'x'.repeat(500) })) };
  await test.queue.submitMany(many, alice);
  await test.queue.close();
  writeFileSync(test.path, readFileSync(test.path).subarray(0, 50_000));
  assert.is((await openFails(test.path)).code, 'data_corrupt');
});

file('a file of a newer version is refused and keeps what is in it', async () => {
  await using test = await openTestQueue();
  await test.queue.submit(work(), alice);
  await test.queue.close();
  const database = new DatabaseSync(test.path);
  database.exec('PRAGMA user_version = 99');
  const error = await openFails(test.path);
  assert.is(error.code, 'data_corrupt');
  assert.match(error.message, 'newer');
  assert.is(database.prepare('SELECT count(*) AS tasks FROM tasks').get()?.tasks, 1);
  database.close();
});

file('an empty file becomes a queue, and a folder in its place is an answer', async () => {
  await using folder = await tempFolder();
  writeFileSync(folder.file('queue.sqlite'), '');
  await (await openQueue(options(folder.file('queue.sqlite')))).close();
  mkdirSync(folder.file('other.sqlite'));
  assert.is((await openFails(folder.file('other.sqlite'))).code, 'storage_failed');
});

lock.run();
file.run();
