import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { createMesh, work } from '../../../mod.ts';
import { show } from '../../../src/cli/show.ts';
import { styleOf } from '../../../src/cli/style.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { suite } from '../../tooling/suite.ts';
import { startNode, statusOf, until } from '../support.ts';
import { startDouble } from './double.ts';
import { token, userOf } from './scene.ts';

const test = suite('Python nodes among the peers');

/** Nobody listens there. */
const nowhere = '/ip4/127.0.0.1/tcp/1';

test('peers tells of each Python node: where it is, and whether it is connected or why not', async () => {
  await using double = await startDouble({ token });
  await using user = await userOf(double.address, { python: { peers: [double.address, nowhere] } });
  const { mesh, peerId } = user.node;
  const listed = async (input = {}) => (await mesh.call('peers', input)).peers;
  await until(async () => (await listed()).every(({ connected, error }) => connected || error !== ''));
  const [there, away] = await listed();
  assert.equal(
    [there?.peer_id, there?.protocol, there?.connected, there?.direction, there?.addresses, there?.found_by],
    [double.peerId, 'python', true, 'outbound', [double.address], ['python']],
  );
  assert.is(there?.error, '');
  assert.equal([away?.peer_id, away?.connected, away?.addresses], ['', false, [nowhere]]);
  assert.match(away?.error ?? '', /^peer_unreachable: .*ECONNREFUSED|refused/);
  assert.equal((await listed({ connected_only: true })).length, 1);
  assert.equal((await listed({ limit: 1 })).length, 1);

  const text = show(
    'peers',
    { peer_id: peerId, peers: await listed() },
    { style: styleOf({ write: () => true }, {}), nowS: 0 },
  );
  assert.match(text, new RegExp(`${double.peerId} +outbound .* python .*${double.address}`));
  assert.match(text, /- +no .* python .*peer_unreachable/);

  const { detail } = await statusOf(user.node);
  assert.equal(detail.python?.nodes[0], { place: double.address, peer_id: double.peerId, connected: true, error: '' });
  assert.match(detail.python?.nodes[1]?.error ?? '', /^peer_unreachable/);
});

test('discover tries each Python node, its token included; nodes without any have no such rows', async () => {
  await using double = await startDouble({ token });
  await using other = await startDouble({ token: 'another' });
  await using user = await userOf(double.address, { python: { peers: [double.address, other.address, nowhere] } });
  const { peers, attempts } = await user.node.mesh.call('discover', {});
  assert.equal(peers, [double.peerId]);
  const rows = attempts.filter(({ method }) => method === 'python');
  assert.equal(
    rows.map(({ ok, outcome, peer_id, multiaddr }) => [ok, outcome, peer_id, multiaddr]),
    [
      [true, 'connected', double.peerId, double.address],
      [false, 'failed', other.peerId, other.address],
      [false, 'failed', '', nowhere],
    ],
  );
  assert.equal(attempts.slice(-3), rows, 'they come last');
  assert.match(rows[1]?.error ?? '', /^unauthorized: .*--python-token-file/);
  assert.match(rows[2]?.error ?? '', /^peer_unreachable/);
  const refused = (await user.node.mesh.call('peers', {})).peers.find(({ peer_id }) => peer_id === other.peerId);
  assert.match(refused?.error ?? '', /^unauthorized/);

  await using plain = await startNode();
  assert.not((await plain.mesh.call('discover', {})).attempts.some(({ method }) => method === 'python'));
});

test('a program that uses the library works for a Python node, with the token in its data folder', async () => {
  await using double = await startDouble({ token });
  await using folder = await tempFolder();
  await writeFile(folder.file('python.token'), token, { mode: 0o600 });
  await using mesh = await createMesh({ data: folder.path, mdns: false, python: { peers: [double.address] } });
  const { task_id } = await mesh.call('submit', { payload: { n: 1 }, remote_multiaddr: double.address });
  await using _ = work(mesh, { types: ['generation'], run: ({ payload }) => payload });
  const row = double.tasks.get(task_id.slice(0, 32));
  Object.assign(row ?? {}, { task_type: 'text-generation' });
  await until(() => row?.status === 'completed');
  assert.equal(row?.result, { n: 1 });
});

test.run();
