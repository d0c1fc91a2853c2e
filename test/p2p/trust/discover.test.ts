import * as assert from 'uvu/assert';
import type { OperationOutput } from '../../../src/mesh/operations.ts';
import { suite } from '../../tooling/suite.ts';
import { failureOf, type TestNode, until } from '../support.ts';
import { list, revoke, testMesh } from './support.ts';

const discovering = suite('discover, where not everybody is served');

type Row = OperationOutput<'discover'>['attempts'][number];

/** What was found of one peer, or asked of it, without the ways that named nobody. */
async function rowsOf(at: TestNode, peer: TestNode, address?: string): Promise<[peers: string[], rows: Row[]]> {
  const input = address === undefined ? {} : { remote_multiaddr: address };
  const { peers, attempts } = await at.mesh.call('discover', input);
  return [peers, attempts.filter(({ peer_id }) => peer_id === peer.peerId)];
}

function allUnauthorized(rows: Row[], remedy: string): void {
  assert.ok(rows.length > 0);
  for (const { method, outcome, error } of rows) {
    assert.equal([method, outcome, error.split(':')[0]], [method, 'failed', 'unauthorized'], error);
    assert.match(error, new RegExp(remedy));
  }
}

discovering('who is not listed is told so each time, by every way, and nobody counts as connected', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  const bootstrap = [a.address, a.address.replace('127.0.0.1', 'localhost').replace('/ip4/', '/dns4/')];
  await using b = await mesh.start({ bootstrap: [...bootstrap, `${a.folder}/announce.json`] }, { random: () => 0 });
  const together = Array.from({ length: 3 }, () => rowsOf(b, a, a.address));
  const runs = await Promise.all(together);
  for (let run = 0; run < 10; run++) runs.push(await rowsOf(b, a, a.address));
  for (const [peers, rows] of runs) {
    assert.equal(peers, []);
    allUnauthorized(rows, `On the machine of ${a.peerId} run: taskmesh grant ${b.peerId}`);
    assert.ok(rows.length >= 4);
  }
  // Nor does a peer on the porch count at the node that does not serve it.
  assert.equal((await a.mesh.call('discover', {})).peers, []);
});

discovering('who is not listed is told so by a node that has come to it, too', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await list(b, a);
  await until(() =>
    a.mesh.call('connect', { remote_multiaddr: b.address }).then(
      () => true,
      () => false,
    ),
  );
  // This connection stands, because B serves A; A serves nothing on it.
  for (const address of [undefined, a.address]) {
    const [peers, rows] = await rowsOf(b, a, address);
    assert.equal(peers, []);
    allUnauthorized(rows, `On the machine of ${a.peerId} run: taskmesh grant ${b.peerId}`);
  }
  assert.is((await failureOf(b.mesh.call('connect', { remote_peer_id: a.peerId }))).code, 'unauthorized');
});

discovering(
  'who is shut out is told so; the node that did it does not go there, and says how to let it in again',
  async () => {
    await using mesh = await testMesh();
    await using b = await mesh.start();
    await using a = await mesh.start({ bootstrap: [b.address] }, { random: () => 0 });
    await list(b, a);
    await list(a, b);
    await until(async () => (await a.mesh.call('discover', {})).peers.length === 1);
    await revoke(a, b);
    await until(async () => (await a.mesh.call('discover', {})).peers.length === 0);
    const [, rows] = await rowsOf(a, b);
    allUnauthorized(rows, `Run "taskmesh grant ${b.peerId}" here`);
    assert.is((await failureOf(a.mesh.call('connect', { remote_multiaddr: b.address }))).code, 'unauthorized');
    const [peers, told] = await rowsOf(b, a, a.address);
    assert.equal(peers, []);
    allUnauthorized(
      told,
      `has shut this node \\(${b.peerId}\\) out. On the machine of ${a.peerId} run: taskmesh grant`,
    );
    await list(a, b);
    await until(async () => (await a.mesh.call('discover', {})).peers.length === 1);
  },
);

discovering.run();
