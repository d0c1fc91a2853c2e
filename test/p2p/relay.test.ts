import * as assert from 'uvu/assert';
import { makeMeshKey } from '../support/mesh-key.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { eventOf, failureOf, startNode, statusOf, type TestNode, until } from './support.ts';

async function reachability(node: TestNode) {
  const { reachability } = await statusOf(node);
  if (reachability === undefined) throw new Error('status tells nothing of reachability');
  return reachability;
}

/** The address by way of the relay, when the node has a place there. */
async function relayedAddress({ node }: TestNode): Promise<string> {
  const find = (): string | undefined => node.addresses.find((address) => address.includes('/p2p-circuit'));
  await until(() => find() !== undefined);
  return find() ?? '';
}

const relay = suite('by way of a relay');

relay(
  'a node that listens on nothing works a task for another one, through a relay, in a mesh with a key',
  async () => {
    await using folder = await tempFolder();
    await makeMeshKey(folder.file('mesh.key'));
    const key = { meshKeyFile: folder.file('mesh.key'), admit: 'mesh-key' as const, dht: false };
    await using r = await startNode({ ...key, relay: true });
    await using hidden = await startNode({ ...key, listen: [], relays: [r.address] });
    const address = await relayedAddress(hidden);
    assert.is(address, `${r.address}/p2p-circuit/p2p/${hidden.peerId}`);
    assert.equal(
      (await reachability(hidden)).relays.map(({ peer_id, reserved, error }) => [peer_id, reserved, error]),
      [[r.peerId, true, '']],
    );
    assert.is((await reachability(hidden)).nat, 'relayed');
    assert.equal((await reachability(r)).relay, { reservations: 1, max_reservations: 64 });

    // Also listening on nothing: neither can dial the other.
    await using b = await startNode({ ...key, listen: [] });
    await b.mesh.call('connect', { remote_multiaddr: address });
    const { task_id } = await b.mesh.call('submit', {
      task_type: 'hello',
      payload: { big: 'x'.repeat(500_000) },
      remote_peer_id: hidden.peerId,
    });
    const { task } = await hidden.mesh.call('claim', { supported_task_types: ['hello'], wait_s: 5 });
    assert.is(task?.task_id, task_id);
    await hidden.mesh.call('complete', { task_id, fence: task?.fence ?? 0, result: 'done' });
    const waited = await b.mesh.call('wait', { task_id, timeout_s: 5 });
    assert.is(waited.task.result, 'done');
    const here = await reachability(b);
    assert.equal([here.nat, here.relayed_connections], ['none', 1]);
  },
);

relay('a task in the relayed peer’s queue is claimed from outside', async () => {
  await using r = await startNode({ relay: true });
  await using hidden = await startNode({ listen: [], relays: [r.address] });
  await using b = await startNode({ listen: [] });
  await b.mesh.call('connect', { remote_multiaddr: await relayedAddress(hidden) });
  const { task_id } = await hidden.mesh.call('submit', { task_type: 'x', payload: 1 });
  const { task } = await b.mesh.call('claim', { supported_task_types: ['x'], wait_s: 5 });
  assert.is(task?.task_id, task_id);
});

relay('a node is reached by way of the relay again after the relay was away', async () => {
  await using folder = await tempFolder();
  const first = await startNode({ relay: true, dataFolder: folder.path });
  const port = /tcp\/(\d+)/.exec(first.address)?.[1] ?? '';
  await using hidden = await startNode({ listen: [], relays: [first.address] }, { random: () => 0 });
  const address = await relayedAddress(hidden);
  const gone = eventOf(hidden.mesh, (event) => event.type === 'peer' && !event.connected);
  await first.node.stop();
  await gone;
  await until(async () => (await reachability(hidden)).relays.every(({ reserved }) => !reserved));
  assert.equal(
    (await reachability(hidden)).relays.map(({ error }) => error),
    ['It is not connected.'],
  );
  await using second = await startNode({
    relay: true,
    dataFolder: folder.path,
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
  });
  assert.is(second.peerId, first.peerId);
  assert.is(await relayedAddress(hidden), address);
  await using b = await startNode({ listen: [] });
  await b.mesh.call('connect', { remote_multiaddr: address });
});

relay('a node that is no relay says so, and carries nobody', async () => {
  await using plain = await startNode();
  await using hidden = await startNode({ listen: [], relays: [plain.address] });
  await until(async () => (await reachability(hidden)).relays.some(({ error }) => error.includes('--relay')));
  await using b = await startNode({ listen: [] });
  const failure = await failureOf(
    b.mesh.call('connect', { remote_multiaddr: `${plain.address}/p2p-circuit/p2p/${hidden.peerId}`, timeout_s: 5 }),
  );
  assert.is(failure.code, 'peer_unreachable');
});

relay('a relay gives no more places than it has', async () => {
  await using r = await startNode({ relay: true, limits: { maxRelayReservations: 1 } });
  await using one = await startNode({ listen: [], relays: [r.address] });
  await relayedAddress(one);
  await using two = await startNode({ listen: [], relays: [r.address] });
  await until(async () => (await reachability(two)).relays.some(({ error }) => error.startsWith('It gave no place')));
  assert.equal((await reachability(r)).relay, { reservations: 1, max_reservations: 1 });
});

relay('a relayed connection gives way to a direct one, and loses nothing that is in flight', async () => {
  await using r = await startNode({ relay: true });
  await using b = await startNode({ listen: [], relays: [r.address] });
  const address = await relayedAddress(b);
  // Can be dialled, which B, that came before it, is told when A has come by way of the relay.
  await using a = await startNode();
  await a.mesh.call('connect', { remote_multiaddr: address });
  const waiting = a.mesh.call('claim', { supported_task_types: ['late'], wait_s: 10, remote_peer_id: b.peerId });
  await until(async () => {
    const { direct_connections, relayed_connections } = await reachability(b);
    return direct_connections >= 2 && relayed_connections === 1;
  });
  const { task_id } = await b.mesh.call('submit', { task_type: 'late', payload: 1 });
  assert.is((await waiting).task?.task_id, task_id);
  await until(async () => (await reachability(b)).relayed_connections === 0);
  assert.is((await b.mesh.call('status', { remote_peer_id: a.peerId })).peer_id, a.peerId);
});

relay.run();
