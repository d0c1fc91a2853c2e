import { connect } from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import { defaultLimits } from '../../../src/mesh/limits.ts';
import { Askers } from '../../../src/p2p/trust/askers.ts';
import { ReadBudget } from '../../../src/p2p/trust/read-budget.ts';
import { encodeFrames, encodeMessage } from '../../../src/rpc/frames.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';
import { rawCarriage, rawHost, request, startNode, until } from '../support.ts';

const bounds = suite('bounds per peer');

bounds('reading rests for as long as what was too much takes at the rate', () => {
  const clock = new FakeClock();
  const limits = {
    peerFramesPerSecond: 10,
    peerFrameBurst: 5,
    peerBytesPerSecond: 1000,
    peerByteBurst: 500,
    peerSharedBytesPerSecond: 100,
    peerSharedByteBurst: 50,
    peerLoopPercent: 50,
  };
  const budget = new ReadBudget(limits, clock, () => false);
  budget.spend(5, 500);
  assert.is(budget.restMs, 0);
  budget.spend(1, 0);
  assert.is(budget.restMs, 100);
  budget.spend(0, 1000);
  assert.is(budget.restMs, 1000);
  clock.advance(1000);
  assert.is(budget.restMs, 0);
  assert.equal(budget.read, { frames: 6, bytes: 1500 });
});

bounds('a peer that sends faster than its rate waits, and loses neither its stream nor a request', async () => {
  const limits = { peerBytesPerSecond: 40_000_000, peerByteBurst: 1_000_000 };
  await using node = await startNode({ limits });
  await using host = await rawHost([]);
  const carriage = await rawCarriage(host, node.address);
  const { stream } = carriage;
  const note = 'x'.repeat(1_000_000);
  const count = 40;
  for (let id = 1; id <= count && stream.status === 'open'; id++) {
    const bytes = encodeFrames([encodeMessage({ ...request('server/discover', { note }), id }, 2_000_000)]);
    if (!stream.send(bytes)) await Promise.race([carriage.closed, once(stream, 'drain')]);
  }
  await until(() => carriage.messages.length === count || stream.status !== 'open');
  assert.equal([stream.status, carriage.messages.length], ['open', count]);
  stream.abort(new Error('done'));
});

bounds('fewer bytes of a peer are read while others ask', () => {
  const clock = new FakeClock();
  const limits = { ...defaultLimits, peerSharedBytesPerSecond: 1000, peerSharedByteBurst: 500 };
  let othersAsk = false;
  const budget = new ReadBudget(limits, clock, () => othersAsk);
  budget.spend(0, 1_000_000);
  assert.is(budget.restMs, 0, 'it is alone');
  othersAsk = true;
  budget.spend(0, 500);
  assert.is(budget.restMs, 0, 'it had saved that up');
  budget.spend(0, 2000);
  assert.is(budget.restMs, 2000);
  othersAsk = false;
  assert.is(budget.restMs, 0, 'the others have gone');
  othersAsk = true;
  clock.advance(2000);
  assert.is(budget.restMs, 0);
});

bounds('a peer that floods is read no faster than its rate, and its neighbour is served', async () => {
  const limits = { peerFramesPerSecond: 200, peerFrameBurst: 50 };
  // Time stands still: what is read is the burst, and the piece of the stream in which it ended.
  await using node = await startNode({ limits }, { clock: new FakeClock() });
  await using flooder = await rawHost([]);
  await using neighbour = await startNode();
  await neighbour.mesh.call('status', { remote_multiaddr: node.address });
  const carriage = await rawCarriage(flooder, node.address);
  const flood = 2_000;
  for (let i = 0; i < flood; i++) carriage.send({ ...request('server/discover'), id: i });
  // All of them are answered before the flood is read: had the neighbour to wait for it, none of it would be left.
  for (let i = 0; i < 20; i++) await neighbour.mesh.call('status', { remote_peer_id: node.peerId });
  const { detail } = await node.mesh.call('status', { detail: true });
  const use = detail?.peers?.find(({ peer_id }) => peer_id === flooder.peerId.toString());
  assert.ok((use?.frames ?? 0) > 0 && carriage.messages.length < flood, `${use?.frames} frames were read`);
  carriage.stream.abort(new Error('done'));
});

bounds('work for a peer counts only while others ask, and then it rests for as long as others are to have', () => {
  const clock = new FakeClock();
  const limits = { ...defaultLimits, peerLoopPercent: 25, peerAskingMs: 1_000 };
  const askers = new Askers(limits, clock);
  const budget = new ReadBudget(limits, clock, () => askers.othersThan('busy'));
  askers.asked('busy');
  budget.worked(500);
  assert.is(budget.restMs, 0, 'it is alone');
  askers.asked('neighbour');
  askers.asked('busy');
  // What is saved up is 5 ms; the rest is to be a quarter of the time.
  budget.worked(1_505);
  assert.is(budget.restMs, 6_000);
  assert.is(askers.othersThan('neighbour'), true);
  clock.advance(1_000);
  askers.asked('busy');
  assert.is(budget.restMs, 0, 'the neighbour has gone');
});

bounds(
  'a peer that floods gets no more than its share of the loop while others ask, and all of it afterwards',
  async () => {
    await using node = await startNode({ limits: { peerLoopPercent: 0.05, peerAskingMs: 500 } });
    await using flooder = await rawHost([]);
    await using neighbour = await startNode();
    await neighbour.mesh.call('status', { remote_multiaddr: node.address });
    const carriage = await rawCarriage(flooder, node.address);
    const flood = 1_000;
    const encoded = encodeMessage(request('server/discover'), 10_000);
    carriage.bytes(encodeFrames(Array.from({ length: flood }, () => encoded)));
    for (let i = 0; i < 200 && carriage.messages.length < flood; i++)
      await neighbour.mesh.call('status', { remote_peer_id: node.peerId });
    assert.ok(carriage.messages.length < flood, 'all of the flood was answered while the neighbour asked');
    await until(() => carriage.messages.length === flood);
    carriage.stream.abort(new Error('done'));
  },
);

bounds('over its rate a peer is read less, and not answered refusals as fast as it sends', async () => {
  await using node = await startNode({ limits: { peerRequestsPerSecond: 100, peerRequestBurst: 50 } });
  await using flooder = await rawHost([]);
  const carriage = await rawCarriage(flooder, node.address);
  const flood = 90;
  const encoded = encodeMessage(request('server/discover'), 10_000);
  carriage.bytes(encodeFrames(Array.from({ length: flood }, () => encoded)));
  await until(() => carriage.messages.length === flood);
  const refused = carriage.messages.filter(({ error }) => error?.code === -32010).length;
  assert.ok(refused > 0 && refused < 20, `${refused} were refused`);
  carriage.stream.abort(new Error('done'));
});

bounds('who does not heed that it sends too many requests is put out with rate_limited', async () => {
  await using node = await startNode({ limits: { peerRequestsPerSecond: 1, peerRequestBurst: 20 } });
  await using flooder = await rawHost([]);
  const carriage = await rawCarriage(flooder, node.address);
  for (let i = 0; i < 100; i++) carriage.send({ ...request('server/discover'), id: i });
  await carriage.closed;
  const last = carriage.messages.at(-1);
  assert.equal([last?.id, last?.error?.code], [null, -32010]);
  await until(async () => (await node.mesh.call('peers', { connected_only: true })).peers.length === 0);
});

bounds('calls in flight are bounded for one peer and for all', async () => {
  await using node = await startNode({ limits: { maxPeerInFlight: 3, maxServing: 4 } });
  await using one = await rawHost([]);
  await using two = await rawHost([]);
  const claim = (id: number) => ({
    ...request('tools/call', {
      name: 'p2p_taskqueue_claim_next',
      arguments: { supported_task_types: ['no'], wait_s: 60 },
    }),
    id,
  });
  const first = await rawCarriage(one, node.address);
  for (let i = 0; i < 4; i++) first.send(claim(i));
  const refused = await first.next();
  assert.equal([refused?.id, refused?.error?.message.includes('in flight')], [3, true]);
  const second = await rawCarriage(two, node.address);
  for (let i = 0; i < 2; i++) second.send(claim(i));
  assert.is((await second.next())?.id, 1);
  for (const { stream } of [first, second]) stream.abort(new Error('done'));
  await until(async () => (await node.mesh.call('status', { detail: true })).detail?.waiters === 0);
});

bounds('what peers let wait leaves places for one another, and for the node’s own callers', async () => {
  await using node = await startNode({ limits: { maxWaiters: 10, maxPeerWaiters: 5 } });
  await using one = await rawHost([]);
  await using two = await rawHost([]);
  const claim = (id: number) => ({
    ...request('tools/call', {
      name: 'p2p_taskqueue_claim_next',
      arguments: { supported_task_types: ['no'], wait_s: 60 },
    }),
    id,
  });
  const code = (message: Awaited<ReturnType<typeof first.next>>) =>
    JSON.stringify(message).includes('too_many_waiters');
  const first = await rawCarriage(one, node.address);
  for (let i = 0; i < 6; i++) first.send(claim(i));
  const refused = await first.next();
  assert.equal([refused?.id, code(refused)], [5, true]);
  const second = await rawCarriage(two, node.address);
  for (let i = 0; i < 4; i++) second.send(claim(i));
  const refusedToo = await second.next();
  assert.equal([refusedToo?.id, code(refusedToo)], [3, true]);
  const own = node.mesh.call('claim', { supported_task_types: ['own'], wait_s: 60 });
  const { task_id } = await node.mesh.call('submit', { task_type: 'own' });
  assert.is((await own).task?.task_id, task_id);
  for (const { stream } of [first, second]) stream.abort(new Error('done'));
});

bounds('who opens connections and says nothing leaves places for those who come from elsewhere', async () => {
  await using node = await startNode({ limits: { maxPendingConnections: 8 } });
  await using peer = await startNode();
  const port = Number(
    multiaddr(node.address)
      .getComponents()
      .find(({ name }) => name === 'tcp')?.value,
  );
  const silent = Array.from({ length: 12 }, () =>
    connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9' }).on('error', () => {}),
  );
  try {
    // Four are let in and kept; the others are cut off at once.
    await until(async () => silent.filter(({ destroyed }) => destroyed).length === 8);
    assert.is((await peer.mesh.call('status', { remote_multiaddr: node.address })).peer_id, node.peerId);
    assert.is(silent.filter(({ destroyed }) => !destroyed).length, 4);
  } finally {
    for (const socket of silent) socket.destroy();
  }
});

bounds('connections of one peer are bounded', async () => {
  await using node = await startNode({ limits: { maxConnectionsPerPeer: 2 } });
  await using peer = await rawHost([]);
  const dialled = await Promise.allSettled(
    Array.from({ length: 5 }, () => peer.dial(multiaddr(node.address), { force: true })),
  );
  assert.ok(dialled.some(({ status }) => status === 'fulfilled'));
  await until(async () => {
    const { detail } = await node.mesh.call('status', { detail: true });
    const use = detail?.peers?.find(({ peer_id }) => peer_id === peer.peerId.toString());
    return (use?.connections ?? 9) <= 2;
  });
});

bounds('a stream on which nothing moves is closed, and the next call makes a new one', async () => {
  await using node = await startNode({ limits: { streamIdleMs: 300 } });
  await using other = await startNode();
  await other.mesh.call('status', { remote_multiaddr: node.address });
  assert.is(node.node.carriageStreams()[other.peerId], 1);
  await until(() => node.node.carriageStreams()[other.peerId] === undefined);
  assert.is((await other.mesh.call('status', { remote_peer_id: node.peerId })).peer_id, node.peerId);
});

bounds('status publishes every bound, and the use of each peer to the node’s own callers alone', async () => {
  await using node = await startNode();
  await using peer = await startNode();
  const seen = (await peer.mesh.call('status', { remote_multiaddr: node.address, detail: true })).detail;
  assert.equal(Object.keys(seen?.limits ?? {}).sort(), Object.keys(defaultLimits).sort());
  assert.equal([seen?.peers, seen?.trust], [undefined, undefined]);
  const own = (await node.mesh.call('status', { detail: true })).detail;
  const [use] = own?.peers ?? [];
  assert.equal([use?.peer_id, use?.served_by, use?.connections, use?.streams], [peer.peerId, 'open door', 1, 1]);
  assert.ok((use?.requests ?? 0) >= 1 && (use?.bytes ?? 0) > 0);
  assert.equal(own?.trust?.refusals, {});
});

function once(target: EventTarget, type: string): Promise<unknown> {
  return new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
}

bounds.run();
