import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import { sessionProtocol } from '../../../src/p2p/python/messages.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';
import { rawHost, until } from '../support.ts';
import { askFresh, openSession, RawSession, rpc, startListening } from './support.ts';

const test = suite('bounds of the door for Python nodes');

test('a stream on which nothing is asked ends, and so does a connection without a stream', async () => {
  await using node = await startListening({}, [{ limits: { pythonIdleMs: 200 } }]);
  await using host = await rawHost([]);
  const connection: Connection = await host.dial(multiaddr(node.pythonAddress));
  const session = new RawSession(await connection.newStream(sessionProtocol));
  await session.ended;
  session.stream.abort(new Error('done'));
  await until(() => connection.status !== 'open');
});

test('more streams than may be are cut, and the others go on', async () => {
  await using node = await startListening({}, [{ limits: { maxPythonStreams: 2 } }]);
  await using host = await rawHost([]);
  const held = [await openSession(host, node.pythonAddress), await openSession(host, node.pythonAddress)];
  const connection = await host.dial(multiaddr(node.pythonAddress));
  const more = await connection.newStream(sessionProtocol).then(
    (stream) => new RawSession(stream),
    () => undefined,
  );
  await more?.ended;
  for (const session of held) assert.ok((await session.asked(rpc('status'))).result.content.ok);
  for (const session of held) session.stream.abort(new Error('done'));
});

test('one address has half of the connections', async () => {
  await using node = await startListening({}, [{ limits: { maxPythonConnections: 4 } }]);
  await using first = await rawHost([]);
  await using second = await rawHost([]);
  await using third = await rawHost([]);
  for (const host of [first, second]) await openSession(host, node.pythonAddress);
  let refused = false;
  try {
    await openSession(third, node.pythonAddress);
  } catch {
    refused = true;
  }
  assert.ok(refused);
});

test('an address that asks too much is told so', async () => {
  const clock = new FakeClock();
  await using node = await startListening({}, [{ limits: { pythonRequestsPerSecond: 2 } }, { clock }]);
  await using host = await rawHost([]);
  const session = await openSession(host, node.pythonAddress);
  let refused: unknown;
  for (let request = 0; request < 10 && refused === undefined; request++)
    refused = (await session.asked(rpc('status'))).error;
  assert.equal(refused, { code: -32010, message: 'rate_limited' });
  await session.ended;
});

test('a client that does not read its answers is cut off, and the next one is served', async () => {
  await using node = await startListening({}, [{ limits: { frameDeadlineMs: 1_000 } }]);
  const text = 'x'.repeat(900_000);
  const task_id = (await node.mesh.call('submit', { task_type: 't', payload: { text } })).task_id.slice(0, 32);
  await using host = await rawHost([]);
  const session = await openSession(host, node.pythonAddress);
  session.stream.pause();
  for (let request = 0; request < 60; request++) session.send(rpc('get', { task_id }));
  await session.ended;
  assert.ok((await askFresh(node.pythonAddress, 'status')).ok);
});

test.run();
