import { createServer, type Socket } from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import { FakeClock } from '../support/fake-clock.ts';
import { makeMeshKey } from '../support/mesh-key.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { eventOf, failureOf, rawHost, startNode, until } from './support.ts';

const loss = suite('peers that come and go');

loss('a peer that was restarted is reached again, on a new stream, by its id alone', async () => {
  await using folder = await tempFolder();
  await using a = await startNode();
  const first = await startNode({ dataFolder: folder.path });
  await a.mesh.call('connect', { remote_multiaddr: first.address });
  const { task_id } = await a.mesh.call('submit', { task_type: 'kept', remote_peer_id: first.peerId });
  const gone = eventOf(a.mesh, (event) => event.type === 'peer' && !event.connected);
  await first.node.stop();
  await gone;
  assert.is((await failureOf(a.mesh.call('get', { task_id }))).code, 'peer_unreachable');
  const [, , , , port] = first.address.split('/');
  await using second = await startNode({ dataFolder: folder.path, listen: [`/ip4/127.0.0.1/tcp/${port}`] });
  assert.is(second.peerId, first.peerId);
  assert.is((await a.mesh.call('get', { task_id })).task.status, 'queued');
  assert.equal(a.node.carriageStreams(), { [second.peerId]: 1 });
});

loss('what is in flight when a peer goes fails as peer_unreachable, at once', async () => {
  await using a = await startNode();
  await using b = await startNode();
  const { task_id } = await a.mesh.call('submit', { task_type: 'x', remote_multiaddr: b.address });
  const waited = failureOf(a.mesh.call('wait', { task_id, timeout_s: 60 }));
  const claimed = failureOf(
    a.mesh.call('claim', { supported_task_types: ['y'], wait_s: 60, remote_peer_id: b.peerId }),
  );
  await a.mesh.call('get', { task_id });
  await b.node.stop();
  assert.is((await waited).code, 'peer_unreachable');
  assert.is((await claimed).code, 'peer_unreachable');
});

loss('an address where nobody listens is peer_unreachable', async () => {
  await using a = await startNode();
  const b = await startNode();
  await b[Symbol.asyncDispose]();
  const startedMs = performance.now();
  const error = await failureOf(a.mesh.call('status', { remote_multiaddr: b.address }));
  assert.equal([error.code, error.retryable, error.details?.peer_id], ['peer_unreachable', true, b.peerId]);
  assert.ok(performance.now() - startedMs < 5_000);
});

loss('an address where another peer listens is peer_unreachable', async () => {
  await using a = await startNode();
  await using b = await startNode();
  const wrong = b.address.replace(b.peerId, '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8');
  assert.is((await failureOf(a.mesh.call('status', { remote_multiaddr: wrong }))).code, 'peer_unreachable');
});

loss('a program that accepts connections and says nothing is peer_unreachable at the deadline', async () => {
  const clock = new FakeClock();
  await using a = await startNode({}, { clock });
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = mute.address() as { port: number };
    const address = `/ip4/127.0.0.1/tcp/${port}/p2p/${a.peerId.slice(0, -1)}${a.peerId.endsWith('a') ? 'b' : 'a'}`;
    const task_id = '0'.repeat(32);
    const got = failureOf(a.mesh.call('get', { task_id, remote_multiaddr: address }, { deadlineMs: 300 }));
    await until(() => sockets.length > 0);
    clock.advance(300);
    assert.is((await got).code, 'peer_unreachable');
    const timers = clock.pendingTimers;
    const status = failureOf(a.mesh.call('status', { remote_multiaddr: address, timeout_s: 0.3 }));
    await until(() => clock.pendingTimers > timers);
    clock.advance(300);
    assert.is((await status).code, 'peer_unreachable', 'status waits no longer than it is told to');
  } finally {
    for (const socket of sockets) socket.destroy();
    mute.close();
  }
});

loss('many requests that need the same peer at once share one dial', async () => {
  await using a = await startNode();
  await using b = await startNode();
  const connected: string[] = [];
  b.mesh.subscribe((event) => event.type === 'peer' && event.connected && connected.push(event.peer_id));
  await Promise.all(Array.from({ length: 50 }, () => a.mesh.call('status', { remote_multiaddr: b.address })));
  assert.equal(connected, [a.peerId]);
  assert.equal(b.node.carriageStreams(), { [a.peerId]: 1 });
});

loss('who names a good address does not suffer from another caller’s bad one', async () => {
  await using a = await startNode();
  const dead = await startNode();
  await dead[Symbol.asyncDispose]();
  await using b = await startNode();
  const bad = dead.address.replace(dead.peerId, b.peerId);
  const calls = [bad, b.address, bad].map((remote_multiaddr) => a.mesh.call('status', { remote_multiaddr }));
  const [, good] = await Promise.allSettled(calls);
  assert.is(good?.status, 'fulfilled');
});

loss('both sides may open at the same moment: both are served, and never by more streams than two', async () => {
  await using a = await startNode();
  await using b = await startNode();
  await Promise.all([
    a.mesh.call('status', { remote_multiaddr: b.address }),
    b.mesh.call('status', { remote_multiaddr: a.address }),
  ]);
  await Promise.all(
    Array.from({ length: 100 }, () => [
      a.mesh.call('cache_has', { key: 'x', remote_peer_id: b.peerId }),
      b.mesh.call('cache_has', { key: 'x', remote_peer_id: a.peerId }),
    ]).flat(),
  );
  assert.ok((a.node.carriageStreams()[b.peerId] ?? 0) <= 2);
});

loss('with a mesh key, nodes of the mesh connect, and strangers and nodes of other meshes do not', async () => {
  await using folder = await tempFolder();
  await makeMeshKey(folder.file('one.key'));
  await makeMeshKey(folder.file('two.key'));
  await using a = await startNode({ meshKeyFile: folder.file('one.key'), admit: 'mesh-key' });
  await using friend = await startNode({ meshKeyFile: folder.file('one.key'), admit: 'mesh-key' });
  await using other = await startNode({ meshKeyFile: folder.file('two.key') });
  await using keyless = await startNode();
  await using stranger = await rawHost([]);
  assert.is((await friend.mesh.call('status', { remote_multiaddr: a.address })).peer_id, a.peerId);
  for (const node of [other, keyless]) {
    const error = await failureOf(node.mesh.call('status', { remote_multiaddr: a.address }, { deadlineMs: 1_000 }));
    assert.is(error.code, 'peer_unreachable');
  }
  const signal = AbortSignal.timeout(1_000);
  assert.is(
    await stranger.dial(multiaddr(a.address), { signal }).then(
      () => 'in',
      () => 'out',
    ),
    'out',
  );
  assert.is((await a.mesh.call('peers', { connected_only: true })).peers.length, 1);
});

loss.run();
