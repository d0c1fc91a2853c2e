import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import * as assert from 'uvu/assert';
import { defaultLimits } from '../../../src/mesh/limits.ts';
import { joinTaskId, taskIdPattern } from '../../../src/mesh/task.ts';
import { Guard } from '../../../src/p2p/python/guard.ts';
import { openLeaseBook } from '../../../src/p2p/python/lease-book.ts';
import { Scheduler } from '../../../src/p2p/python/scheduler.ts';
import { readToken } from '../../../src/p2p/python/token.ts';
import { canonicalPeerId } from '../../../src/p2p/reach/addresses.ts';
import { errorCode } from '../../support/error-code.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { suite } from '../../tooling/suite.ts';

const test = suite('who holds what towards Python nodes');

const taskId = '0123456789abcdef0123456789abcdef';
const here = { peerId: 'P1', host: '10.0.0.1' };

test('a lease is found by the identity that claimed it or the address that it came from, and by nobody else', async () => {
  await using folder = await tempFolder();
  const options = { path: folder.file('leases.sqlite'), clock: new FakeClock(), limits: defaultLimits };
  await using book = await openLeaseBook(options);
  const told = await book.open({ taskId, fence: 4, caller: 'P1' }, here, 'w');
  assert.is(told, taskId, 'the first lease goes by the task’s own id');
  const lease = { taskId, fence: 4, caller: 'P1' };
  assert.equal(await book.find(told, here, ''), lease);
  assert.equal(await book.find(told, { peerId: 'fresh', host: '10.0.0.1' }, 'w'), lease);
  assert.equal(await book.find(told, { peerId: 'P1', host: '10.0.0.9' }, ''), lease);
  assert.is(await errorCode(book.find(told, { peerId: 'fresh', host: '10.0.0.9' }, 'w')), 'stale_fence');
  assert.is(await errorCode(book.find(told, here, 'another')), 'stale_fence');
  assert.is(await errorCode(book.find('f'.repeat(32), here, '')), 'stale_fence');
  const second = await book.open({ taskId, fence: 5, caller: 'P2' }, { ...here, peerId: 'P2' }, 'w');
  const third = await book.open({ taskId, fence: 6, caller: 'P3' }, { ...here, peerId: 'P3' }, 'w');
  assert.is(new Set([told, second, third]).size, 3);
  assert.equal((await book.find(told, here, '')).fence, 4, 'the first id stays with the first lease');
  assert.equal((await book.find(second, here, '')).fence, 5);
  for (const id of [told, second, third]) {
    assert.match(id, taskIdPattern);
    assert.is(await book.taskOf(id), taskId);
  }
  assert.is(await book.taskOf('e'.repeat(32)), 'e'.repeat(32));
});

test('an address that guessed is let in again after a while; its neighbours are let in all the time', () => {
  const clock = new FakeClock();
  const guard = new Guard('right', clock, { pythonRequestsPerSecond: 2 });
  for (let guess = 0; guess < 11; guess++) assert.not(guard.admits({ token: 'wrong' }, here));
  assert.not(guard.admits({ token: 'right' }, here));
  assert.ok(guard.admits({ token: 'right' }, { host: '10.0.0.2' }));
  assert.is(guard.refused, 12);
  clock.advance(20_000);
  assert.ok(guard.admits({ token: 'right' }, here));
  assert.ok(guard.admits({ ucan_token: 'right' }, here));
  assert.not(guard.admits({ ucan: 'right', jwt: 'right' }, here), 'credentials that nobody checks open nothing');
});

test('requests are counted by address', () => {
  const clock = new FakeClock();
  const guard = new Guard('right', clock, { pythonRequestsPerSecond: 2 });
  const asked = (host: string) => Array.from({ length: 6 }, () => guard.mayAsk({ host })).filter(Boolean).length;
  assert.equal([asked('a'), asked('b')], [4, 4]);
  clock.advance(1_000);
  assert.is(asked('a'), 2);
});

test('peers are known for 300 s after they were seen, and no more than 256 of them', () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler('us', clock);
  for (let peer = 0; peer < 300; peer++) scheduler.saw(`p${peer}`, undefined);
  assert.is(scheduler.view().known_peers.length, 256);
  clock.advance(299_999);
  scheduler.saw('late', { vector: { late: 2 } });
  clock.advance(2);
  assert.equal(scheduler.view().known_peers, ['late']);
});

test('a token that guards a listener is long; one that is only shown may be what it is', async () => {
  const { writeFile } = await import('node:fs/promises');
  await using folder = await tempFolder();
  const file = folder.file('token');
  assert.is(await errorCode(readToken(file, { guards: false })), 'invalid_config');
  await writeFile(file, 'sekret\n');
  assert.is(await readToken(file, { guards: false }), 'sekret');
  assert.is(await errorCode(readToken(file, { guards: true })), 'invalid_config');
  await writeFile(file, '');
  assert.is(await errorCode(readToken(file, { guards: false })), 'invalid_config');
  await writeFile(file, 'two words that are long\n');
  assert.is(await errorCode(readToken(file, { guards: true })), 'invalid_config');
});

test('identities of Python’s other stack parse, also as owners of tasks', async () => {
  const peerId = peerIdFromPrivateKey(await generateKeyPair('secp256k1')).toString();
  assert.match(peerId, /^16Uiu2/);
  assert.is(canonicalPeerId(peerId), peerId);
  assert.match(joinTaskId(taskId, peerId), taskIdPattern);
});

test.run();
