import * as assert from 'uvu/assert';
import { Misconduct } from '../../../src/p2p/trust/misconduct.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { suite } from '../../tooling/suite.ts';
import { type RawHost, rawCarriage, rawHost, startNode, statusOf, until } from '../support.ts';

const limits = { maxFaults: 2, faultsKeptMs: 10_000, shutOutMs: 1_000, maxShutOutMs: 3_000 };

const misconduct = suite('peers that misbehave again and again');

misconduct('a few faults are borne, more shut out, each time for twice as long up to the bound', () => {
  const clock = new FakeClock();
  const peers = new Misconduct({ clock, limits });
  const third = (): number | undefined => [1, 2, 3].map(() => peers.fault('a')).at(-1);
  assert.equal([peers.fault('b'), peers.fault('b'), peers.leftMs('b')], [undefined, undefined, 0]);
  assert.is(third(), 1_000);
  clock.advance(400);
  assert.equal([peers.leftMs('a'), peers.leftMs('b')], [600, 0]);
  clock.advance(600);
  assert.is(peers.leftMs('a'), 0);
  assert.equal([third(), third(), third()], [2_000, 3_000, 3_000]);
});

misconduct('who has behaved for long enough begins anew', () => {
  const clock = new FakeClock();
  const peers = new Misconduct({ clock, limits });
  assert.is(peers.shutOut('a'), 1_000);
  clock.advance(10_999);
  assert.is(peers.shutOut('a'), 2_000);
  clock.advance(12_000);
  assert.equal([peers.fault('a'), peers.shutOut('a')], [undefined, 1_000]);
});

misconduct('of many peers the ones that were bad last are remembered', () => {
  const peers = new Misconduct({ clock: new FakeClock(), limits });
  for (let peer = 0; peer < 1_001; peer++) peers.shutOut(`peer ${peer}`);
  assert.equal([peers.leftMs('peer 0'), peers.leftMs('peer 1'), peers.leftMs('peer 1000')], [0, 1_000, 1_000]);
});

/** Opens a stream and sends what is no frame; answers whether that was possible. */
async function breakStream(host: RawHost, address: string): Promise<boolean> {
  const carriage = await rawCarriage(host, address).catch(() => undefined);
  if (carriage?.stream.status !== 'open') return false;
  carriage.bytes(new Uint8Array(4));
  await carriage.closed;
  carriage.stream.abort(new Error('done'));
  return true;
}

misconduct(
  'a peer that breaks stream after stream is put out and refused for a while, and then served again',
  async () => {
    await using node = await startNode({ limits: { maxFaults: 3, shutOutMs: 1_500 } });
    await using host = await rawHost([]);
    await using other = await startNode();
    for (let streams = 0; streams < 4; streams++) assert.ok(await breakStream(host, node.address));
    await until(() => host.getConnections().length === 0);
    assert.is(await breakStream(host, node.address), false, 'it comes back too soon');
    assert.is((await other.mesh.call('status', { remote_multiaddr: node.address })).peer_id, node.peerId);
    const { refusals } = (await statusOf(node)).detail.trust ?? {};
    assert.is(refusals?.broken_frames, 1);
    assert.ok((refusals?.shut_out ?? 0) >= 1);
    await until(async () => {
      const carriage = await rawCarriage(host, node.address).catch(() => undefined);
      return (await carriage?.request('server/discover').catch(() => undefined))?.result !== undefined;
    });
  },
);

misconduct(
  'a broken stream ends sooner than one that ends in order, although the peer keeps its end open',
  async () => {
    const clock = new FakeClock();
    await using node = await startNode({}, { clock });
    await using host = await rawHost([]);
    const carriage = await rawCarriage(host, node.address);
    const ended = new Promise((resolve) => carriage.stream.addEventListener('close', resolve));
    carriage.bytes(new Uint8Array(4));
    assert.is((await carriage.next())?.error?.message, 'invalid_message');
    clock.advance(900);
    await ended;
  },
);

misconduct('coming back does not give a peer a new rate', async () => {
  // Time stands still: nothing of the rate comes back while it is asked.
  const limits = { peerRequestsPerSecond: 1, peerRequestBurst: 3 };
  await using node = await startNode({ limits }, { clock: new FakeClock() });
  await using host = await rawHost([]);
  const first = await rawCarriage(host, node.address);
  for (let asked = 0; asked < 3; asked++) assert.ok((await first.request('server/discover'))?.result);
  await Promise.all(host.getConnections().map((connection) => connection.close()));
  await until(async () => (await node.mesh.call('peers', { connected_only: true })).peers.length === 0);
  const second = await rawCarriage(host, node.address);
  assert.is((await second.request('server/discover'))?.error?.code, -32010);
  second.stream.abort(new Error('done'));
});

misconduct.run();
