import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Cache, openCache } from '../../src/cache/cache.ts';
import { errorCode } from '../support/error-code.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const cache = suite('cache');

interface TestCache extends AsyncDisposable {
  readonly cache: Cache;
  readonly clock: FakeClock;
  readonly path: string;
  reopen(): Promise<void>;
}

const MiB = 1024 * 1024;

async function openTestCache(limits = { maxCacheEntries: 1000, maxCacheBytes: MiB }): Promise<TestCache> {
  const folder = await tempFolder();
  const clock = new FakeClock();
  const path = folder.file('cache.sqlite');
  let opened = await openCache({ path, limits, clock });
  return {
    get cache() {
      return opened;
    },
    clock,
    path,
    async reopen() {
      await opened.close();
      opened = await openCache({ path, limits, clock });
    },
    async [Symbol.asyncDispose]() {
      await opened.close();
      await folder.remove();
    },
  };
}

const set = (to: Cache, key: string, value: unknown = key, ttl_s = 0) => to.set({ key, value, ttl_s });

async function keysOf(from: Cache, keys: string[]): Promise<string[]> {
  const found = await Promise.all(keys.map((key) => from.has({ key })));
  return found.filter(({ hit }) => hit).map(({ key }) => key);
}

cache('a value is read as it was written, after a restart too', async () => {
  await using test = await openTestCache();
  const values = { text: 'ü\u0000', list: [1, null, { a: true }], nothing: null, zero: 0, empty: '' };
  for (const [key, value] of Object.entries(values)) assert.equal(await set(test.cache, key, value), { key });
  await test.reopen();
  for (const [key, value] of Object.entries(values)) {
    assert.equal(await test.cache.get({ key }), { key, hit: true, value });
    assert.equal(await test.cache.has({ key }), { key, hit: true });
  }
  assert.is(test.cache.stats().entries, 5);
});

cache('what is not there is a miss', async () => {
  await using test = await openTestCache();
  assert.equal(await test.cache.get({ key: 'k' }), { key: 'k', hit: false, value: null });
  assert.equal(await test.cache.has({ key: 'k' }), { key: 'k', hit: false });
  assert.equal(await test.cache.delete({ key: 'k' }), { key: 'k', deleted: false });
});

cache('writing again replaces, deleting removes, and the totals follow', async () => {
  await using test = await openTestCache();
  await set(test.cache, 'k', 'x'.repeat(100));
  await set(test.cache, 'k', 'y');
  assert.equal(test.cache.stats(), { entries: 1, bytes: 4 });
  assert.equal(await test.cache.delete({ key: 'k' }), { key: 'k', deleted: true });
  assert.equal(test.cache.stats(), { entries: 0, bytes: 0 });
});

cache('a value is gone when its time is over, and is pruned by itself', async () => {
  await using test = await openTestCache();
  await set(test.cache, 'short', 1, 10);
  await set(test.cache, 'long', 1, 1000);
  await set(test.cache, 'kept', 1);
  test.clock.advance(9_999);
  assert.is((await test.cache.get({ key: 'short' })).hit, true);
  test.clock.advance(1);
  assert.equal(await keysOf(test.cache, ['short', 'long', 'kept']), ['long', 'kept']);
  assert.is((await test.cache.delete({ key: 'short' })).deleted, false);
  await set(test.cache, 'short', 1, 10);
  test.clock.advance(11_000);
  assert.is(test.cache.stats().entries, 2);
  await test.reopen();
  test.clock.advance(1_000_000);
  assert.is(test.cache.stats().entries, 1);
});

cache('room is made by what expires first, then by what is unused for longest', async () => {
  await using test = await openTestCache({ maxCacheEntries: 5, maxCacheBytes: MiB });
  await set(test.cache, 'late', 1, 200);
  await set(test.cache, 'old');
  test.clock.advance(1_000);
  await set(test.cache, 'used');
  await set(test.cache, 'newer');
  await set(test.cache, 'soon', 1, 100);
  test.clock.advance(5_000);
  await test.cache.get({ key: 'old' });
  const all = ['late', 'old', 'used', 'newer', 'soon', 'a', 'b', 'c', 'd'];
  for (const [key, gone] of [
    ['a', 'soon'],
    ['b', 'late'],
    ['c', 'used'],
    ['d', 'newer'],
  ] as const) {
    const before = await keysOf(test.cache, all);
    await set(test.cache, key);
    assert.equal(
      before.filter((known) => known !== gone),
      (await keysOf(test.cache, all)).filter((known) => known !== key),
      `${key} takes the place of ${gone}`,
    );
  }
});

cache('the bytes stay within their bound, whatever is written', async () => {
  await using test = await openTestCache({ maxCacheEntries: 100, maxCacheBytes: 10_000 });
  for (let n = 0; n < 300; n++) {
    await set(test.cache, `k${n % 70}`, 'x'.repeat((n * 37) % 900), n % 3);
    assert.ok(test.cache.stats().bytes <= 10_000);
  }
  assert.is((await test.cache.get({ key: `k${299 % 70}` })).hit, true);
  const before = test.cache.stats();
  await test.reopen();
  assert.equal(test.cache.stats(), before);
});

const large = (fill: string): string => fill.repeat(200_000);
const filesOf = (path: string): string[] => readdirSync(`${path}-values`);

cache(
  'a large value is read as it was written, after a restart too, from a file that only the owner may read',
  async () => {
    await using test = await openTestCache();
    const value = { text: large('ü'), list: [null, 1] };
    assert.equal(await set(test.cache, 'k', value), { key: 'k' });
    assert.equal(await test.cache.get({ key: 'k' }), { key: 'k', hit: true, value });
    await test.reopen();
    assert.equal(await test.cache.get({ key: 'k' }), { key: 'k', hit: true, value });
    const [file = ''] = filesOf(test.path);
    assert.is(statSync(join(`${test.path}-values`, file)).mode & 0o777, 0o600);
  },
);

cache('the file of a large value goes when the value is replaced, deleted, expires or makes room', async () => {
  await using test = await openTestCache({ maxCacheEntries: 2, maxCacheBytes: MiB });
  for (const key of ['replaced', 'deleted', 'expired', 'pushed out'])
    await set(test.cache, key, large(key.slice(0, 1)), 0);
  await test.reopen();
  assert.is(filesOf(test.path).length, 2);
  await set(test.cache, 'expired', large('e'), 10);
  await set(test.cache, 'pushed out', 'small');
  test.clock.advance(12_000);
  await test.reopen();
  assert.equal(filesOf(test.path), []);
  assert.equal(await keysOf(test.cache, ['expired', 'pushed out']), ['pushed out']);
  await set(test.cache, 'deleted', large('d'));
  await test.cache.delete({ key: 'deleted' });
  await test.reopen();
  assert.equal(filesOf(test.path), []);
});

cache('writers and readers of one large value at once see whole values, and one file is left', async () => {
  await using test = await openTestCache({ maxCacheEntries: 10, maxCacheBytes: 10 * MiB });
  const written = ['a', 'b', 'c', 'd', 'e', 'f'].map(large);
  await set(test.cache, 'k', written[0]);
  const reads = await Promise.all(
    written.map(async (value) => {
      const [, read] = await Promise.all([set(test.cache, 'k', value), test.cache.get({ key: 'k' })]);
      return read;
    }),
  );
  for (const { hit, value } of reads) assert.ok(hit && written.includes(String(value)));
  assert.is(test.cache.stats().entries, 1);
  await test.reopen();
  assert.is(filesOf(test.path).length, 1);
});

cache('a large value whose file a crash has lost or torn is a miss, and its room is free again', async () => {
  await using test = await openTestCache();
  for (const damage of [(file: string) => rmSync(file), (file: string) => writeFileSync(file, Buffer.alloc(200_002))]) {
    await set(test.cache, 'k', large('k'));
    damage(join(`${test.path}-values`, filesOf(test.path)[0] ?? ''));
    assert.equal(await test.cache.get({ key: 'k' }), { key: 'k', hit: false, value: null });
    assert.equal(test.cache.stats(), { entries: 0, bytes: 0 });
    await test.reopen();
  }
});

cache('what a process that was killed in between has left behind is removed', async () => {
  await using test = await openTestCache();
  await test.cache.close();
  writeFileSync(join(`${test.path}-values`, 'left-behind'), 'x');
  await test.reopen();
  await test.cache.close();
  assert.equal(filesOf(test.path), []);
});

cache('a large value that cannot be written is an error, and the one before stays', async () => {
  await using test = await openTestCache();
  await set(test.cache, 'k', 'before');
  rmSync(`${test.path}-values`, { recursive: true });
  writeFileSync(`${test.path}-values`, '');
  assert.is(await errorCode(set(test.cache, 'k', large('k'))), 'storage_failed');
  assert.is((await test.cache.get({ key: 'k' })).value, 'before');
  rmSync(`${test.path}-values`);
});

cache('a value that can never fit is refused and takes nothing with it', async () => {
  await using test = await openTestCache({ maxCacheEntries: 5, maxCacheBytes: 100 });
  await set(test.cache, 'k');
  assert.is(await errorCode(set(test.cache, 'k', 'x'.repeat(200))), 'cache_full');
  assert.is((await test.cache.get({ key: 'k' })).value, 'k');
});

cache('a damaged file is moved aside and the cache begins anew', async () => {
  await using test = await openTestCache();
  await set(test.cache, 'k');
  await test.cache.close();
  for (const damage of [Buffer.from('garbage'.repeat(1000)), readFileSync(test.path).subarray(0, 5000)]) {
    writeFileSync(test.path, damage);
    await test.reopen();
    assert.is((await test.cache.get({ key: 'k' })).hit, false);
    await set(test.cache, 'new');
    assert.is((await test.cache.get({ key: 'new' })).hit, true);
    assert.equal(readFileSync(`${test.path}.damaged`), damage);
    await test.cache.close();
  }
  const left = readdirSync(dirname(test.path)).filter((name) => name.endsWith('.damaged'));
  assert.is(left.length, 1);
});

cache('a closed cache refuses and leaves no timer', async () => {
  await using test = await openTestCache();
  await set(test.cache, 'k', 1, 10);
  await test.cache.close();
  await test.cache.close();
  assert.is(await errorCode(test.cache.get({ key: 'k' })), 'mesh_down');
  assert.is(await errorCode(set(test.cache, 'k')), 'mesh_down');
  assert.is(test.clock.pendingTimers, 0);
});

cache.run();
