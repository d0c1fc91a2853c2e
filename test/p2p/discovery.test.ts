import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { makeMeshKey } from '../support/mesh-key.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { eventOf, startNode, until } from './support.ts';

const discovery = suite('discovery');

discovery('a node finds another one by its announce file, prefers TCP, and says how it went', async () => {
  await using b = await startNode({ listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'] });
  await using a = await startNode({ bootstrap: [`${b.folder}/announce.json`] });
  const { peers, attempts } = await a.mesh.call('discover', {});
  assert.equal(peers, [b.peerId]);
  const attempt = attempts.find(({ ok }) => ok);
  assert.equal(
    [attempt?.method, attempt?.ok, attempt?.peer_id, attempt?.multiaddr, attempt?.error],
    ['announce_file', true, b.peerId, b.address, ''],
  );
  assert.ok((attempt?.duration_ms ?? -1) >= 0);
  assert.equal((await a.mesh.call('peers', {})).peers[0]?.found_by, ['announce_file']);
});

discovery('a node connects to its bootstrap addresses by itself', async () => {
  await using b = await startNode();
  const connected = eventOf(b.mesh, (event) => event.type === 'peer' && event.connected);
  await using a = await startNode({ bootstrap: [b.address] });
  const event = await connected;
  assert.is(event.type === 'peer' && event.peer_id, a.peerId);
  assert.equal((await a.mesh.call('peers', {})).peers[0]?.found_by, ['bootstrap']);
});

discovery('a lost node is dialled again where its announce file says it is now', async () => {
  await using folder = await tempFolder();
  const first = await startNode({ dataFolder: folder.path });
  await using a = await startNode({ bootstrap: [folder.file('announce.json')] }, { random: () => 0 });
  await until(async () => (await a.mesh.call('peers', { connected_only: true })).peers.length === 1);
  const gone = eventOf(a.mesh, (event) => event.type === 'peer' && !event.connected);
  await first.node.stop();
  await gone;
  const back = eventOf(a.mesh, (event) => event.type === 'peer' && event.connected);
  await using second = await startNode({ dataFolder: folder.path });
  const event = await back;
  assert.is(event.type === 'peer' && event.peer_id, second.peerId);
});

discovery('every attempt is told, those that fail too', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('damaged.json'), '{"peer_id":');
  const dead = await startNode();
  await dead[Symbol.asyncDispose]();
  await using b = await startNode();
  const bootstrap = [folder.file('missing.json'), folder.file('damaged.json'), dead.address, b.address];
  await using a = await startNode({ bootstrap });
  const { peers, attempts } = await a.mesh.call('discover', { timeout_s: 5 });
  assert.equal(peers, [b.peerId]);
  const outcomes = attempts.map(({ method, outcome, error }) => [
    method,
    outcome,
    /^[a-z_]+(?=:)/.exec(error)?.[0] ?? '',
  ]);
  assert.equal(outcomes, [
    ['explicit', 'nothing', ''],
    ['announce_file', 'failed', 'peer_not_found'],
    ['announce_file', 'failed', 'invalid_json'],
    ['bootstrap', 'failed', 'peer_unreachable'],
    ['bootstrap', 'connected', ''],
    ['mdns', 'off', ''],
    ['dht', 'off', ''],
    ['peer_exchange', 'nothing', ''],
    ['peer_store', 'nothing', ''],
  ]);
  for (const { ok, error } of attempts) assert.is(error === '', ok, 'whatever is not ok says why');
});

discovery('a node does not find itself', async () => {
  await using folder = await tempFolder();
  await using a = await startNode({ dataFolder: folder.path, bootstrap: [folder.file('announce.json')] });
  const { peers, attempts } = await a.mesh.call('discover', {});
  assert.equal(peers, []);
  assert.ok(attempts.every(({ outcome, peer_id }) => outcome !== 'connected' && peer_id === ''));
  assert.is(attempts.find(({ method }) => method === 'announce_file')?.error, 'Only this node itself is there.');
});

discovery('nodes on one machine find each other by mDNS', async () => {
  await using folder = await tempFolder();
  // A key of their own, so that other meshes on this machine are not disturbed.
  await makeMeshKey(folder.file('mesh.key'));
  const options = { mdns: true, meshKeyFile: folder.file('mesh.key'), admit: 'mesh-key' as const };
  await using a = await startNode(options);
  const found = eventOf(a.mesh, (event) => event.type === 'peer' && event.connected);
  await using b = await startNode(options);
  const event = await found;
  assert.is(event.type === 'peer' && event.peer_id, b.peerId);
  await until(async () => {
    const { attempts } = await b.mesh.call('discover', { timeout_s: 2 });
    const others = (await a.mesh.call('discover', { timeout_s: 2 })).attempts;
    return [...attempts, ...others].some(({ method, ok }) => method === 'mdns' && ok);
  });
});

discovery.run();
