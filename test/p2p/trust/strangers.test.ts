import * as assert from 'uvu/assert';
import { suite } from '../../tooling/suite.ts';
import { failureOf, startNode, until } from '../support.ts';
import { list, revoke, testMesh, trustOf } from './support.ts';

const strangers = suite('strangers');

strangers('without the mesh key, and with another one, nobody gets in', async () => {
  await using mesh = await testMesh();
  await using other = await testMesh();
  await using a = await mesh.start();
  await using keyless = await startNode();
  await using foreign = await other.start();
  for (const node of [keyless, foreign]) {
    await list(a, node);
    const error = await failureOf(node.mesh.call('status', { remote_multiaddr: a.address }, { deadlineMs: 2_000 }));
    assert.is(error.code, 'peer_unreachable');
  }
});

strangers('who has another mesh key hears that it may be the key', async () => {
  await using mesh = await testMesh();
  await using other = await testMesh();
  await using a = await mesh.start();
  await using foreign = await other.start();
  const error = await failureOf(foreign.mesh.call('connect', { remote_multiaddr: a.address }));
  assert.is(error.code, 'peer_unreachable');
  assert.match(error.message, 'whether both machines have the same mesh.key', error.message);
});

strangers('with the key and not on the list one is refused, and hears what to run where', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  for (const call of [
    () => b.mesh.call('connect', { remote_multiaddr: a.address }),
    () => b.mesh.call('status', { remote_multiaddr: a.address }),
  ]) {
    const error = await failureOf(call());
    assert.is(error.code, 'unauthorized');
    assert.equal(error.details, { cause: 'unlisted', peer_id: a.peerId });
    assert.match(error.message, `On the machine of ${a.peerId} run: taskmesh grant ${b.peerId}`);
  }
  await until(async () => (await a.mesh.call('peers', { connected_only: true })).peers.length === 0);
});

strangers('the moment that it is listed, it is served', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  assert.is((await failureOf(b.mesh.call('connect', { remote_multiaddr: a.address }))).code, 'unauthorized');
  await list(a, b);
  await until(() =>
    b.mesh.call('status', { remote_multiaddr: a.address }).then(
      ({ peer_id }) => peer_id === a.peerId,
      () => false,
    ),
  );
});

strangers('a revoked one loses its stream and its waits at once, and is told why when it comes back', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await list(a, b);
  await b.mesh.call('connect', { remote_multiaddr: a.address });
  const { task_id } = await b.mesh.call('submit', { task_type: 'other', remote_peer_id: a.peerId });
  const claim = failureOf(b.mesh.call('claim', { supported_task_types: ['t'], wait_s: 60, remote_peer_id: a.peerId }));
  const wait = failureOf(b.mesh.call('wait', { task_id, timeout_s: 60 }));
  await until(async () => (await a.mesh.call('status', { detail: true })).detail?.waiters === 2);
  await revoke(a, b);
  for (const ended of [claim, wait]) {
    const error = await ended;
    assert.is(error.code, 'unauthorized');
    assert.is(error.details?.cause, 'revoked');
  }
  await until(async () => (await a.mesh.call('status', { detail: true })).detail?.waiters === 0);
  await until(async () => (await a.mesh.call('peers', { connected_only: true })).peers.length === 0);
  const again = await failureOf(b.mesh.call('status', { remote_multiaddr: a.address }));
  assert.equal([again.code, again.details?.cause], ['unauthorized', 'revoked']);
});

strangers('a damaged entry shuts its peer out, also where everybody with the key is served', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start({ admit: 'mesh-key' });
  await using b = await mesh.start({ admit: 'mesh-key' });
  assert.is((await b.mesh.call('status', { remote_multiaddr: a.address })).peer_id, a.peerId);
  const { writeFile } = await import('node:fs/promises');
  await writeFile(`${trustOf(a).peers.path}/${b.peerId}.json`, '{"peer_id":');
  await until(() =>
    failureOf(b.mesh.call('status', { remote_multiaddr: a.address })).then(
      ({ code }) => code === 'unauthorized',
      () => false,
    ),
  );
});

strangers.run();
