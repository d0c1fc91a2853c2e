import { existsSync } from 'node:fs';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { createNode } from '../../src/p2p/node.ts';
import { makeMeshKey } from '../support/mesh-key.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { failureOf, optionsIn, startNode } from './support.ts';

const start = suite('starting a node');

start('the identity is kept across starts, for its owner’s eyes only', async () => {
  await using folder = await tempFolder();
  const ids: string[] = [];
  for (let round = 0; round < 2; round++) {
    await using first = await startNode({ dataFolder: folder.path });
    ids.push(first.peerId);
  }
  assert.is(ids[0], ids[1]);
  assert.match(ids[0] ?? '', /^12D3KooW/);
  assert.is((await stat(folder.file('node.key'))).mode & 0o777, 0o600);
  assert.is((await stat(folder.path)).mode & 0o777, 0o700);
});

start('rights of others on the key are taken away', async () => {
  await using folder = await tempFolder();
  await (await startNode({ dataFolder: folder.path })).node.stop();
  await chmod(folder.file('node.key'), 0o644);
  await using _node = await startNode({ dataFolder: folder.path });
  assert.is((await stat(folder.file('node.key'))).mode & 0o777, 0o600);
});

start('a damaged identity is refused with what to do, down to a single flipped bit', async () => {
  await using folder = await tempFolder();
  await (await startNode({ dataFolder: folder.path })).node.stop();
  const good = await readFile(folder.file('node.key'), 'utf8');
  const key = Buffer.from(good, 'base64');
  key[20] = (key[20] ?? 0) ^ 1;
  for (const damaged of ['', 'not a key', good.slice(0, 20), key.toString('base64')]) {
    await writeFile(folder.file('node.key'), damaged);
    const error = await failureOf(createNode(optionsIn(folder.path)).start());
    assert.is(error.code, 'data_corrupt', damaged);
    assert.match(error.message, /node\.key.*delete it/);
  }
  await writeFile(folder.file('node.key'), good);
  await using _again = await startNode({ dataFolder: folder.path });
});

start('a data folder that another node holds is refused, and free again when that node stops', async () => {
  await using folder = await tempFolder();
  const first = await startNode({ dataFolder: folder.path });
  const error = await failureOf(createNode(optionsIn(folder.path)).start());
  assert.is(error.code, 'data_folder_locked');
  await first.node.stop();
  await using _second = await startNode({ dataFolder: folder.path });
});

start('an address in use is refused, and nothing stays open: the folder can be used at once', async () => {
  await using folder = await tempFolder();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = other.address() as { port: number };
    const error = await failureOf(
      createNode(optionsIn(folder.path, { listen: [`/ip4/127.0.0.1/tcp/${port}`] })).start(),
    );
    assert.is(error.code, 'address_in_use');
    assert.match(error.message, new RegExp(`/tcp/${port}`));
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
  await using _node = await startNode({ dataFolder: folder.path });
});

start('a bad multiaddr is refused by name', async () => {
  await using folder = await tempFolder();
  for (const [bad, options] of [
    ['/ip4/1.2.3/tcp/1', { listen: ['/ip4/1.2.3/tcp/1'] }],
    ['/ip4/127.0.0.1/udp/1/quic-v1', { listen: ['/ip4/127.0.0.1/udp/1/quic-v1'] }],
    ['/ip4/127.0.0.1/tcp/1', { bootstrap: ['/ip4/127.0.0.1/tcp/1'] }],
  ] as const) {
    const error = await failureOf(
      createNode(optionsIn(folder.path, options as unknown as { listen: string[]; bootstrap: string[] })).start(),
    );
    assert.is(error.code, 'invalid_multiaddr');
    assert.ok(error.message.includes(bad), error.message);
  }
});

start('listening beyond loopback needs a mesh key', async () => {
  await using folder = await tempFolder();
  const listen = ['/ip4/0.0.0.0/tcp/0'];
  const error = await failureOf(createNode(optionsIn(folder.path, { listen })).start());
  assert.is(error.code, 'invalid_config');
  assert.match(error.message, /taskmesh init/);
  await makeMeshKey(folder.file('mesh.key'));
  assert.is((await stat(folder.file('mesh.key'))).mode & 0o777, 0o600);
  await using _node = await startNode({ dataFolder: folder.path, listen });
});

start('an address that this machine does not have is refused with the reason', async () => {
  await using folder = await tempFolder();
  await makeMeshKey(folder.file('mesh.key'));
  const error = await failureOf(createNode(optionsIn(folder.path, { listen: ['/ip4/192.0.2.1/tcp/0'] })).start());
  assert.is(error.code, 'invalid_multiaddr');
  assert.match(error.message, /192\.0\.2\.1/);
});

start('a mesh key that is named and missing, or damaged, is refused', async () => {
  await using folder = await tempFolder();
  const options = optionsIn(folder.path, { meshKeyFile: folder.file('other.key') });
  assert.is((await failureOf(createNode(options).start())).code, 'invalid_config');
  await writeFile(folder.file('other.key'), '/key/swarm/psk/1.0.0/\n/base16/\nabc');
  assert.is((await failureOf(createNode(options).start())).code, 'data_corrupt');
});

start('the announce file is there while the node runs, and tells where', async () => {
  await using folder = await tempFolder();
  const node = await startNode({
    dataFolder: folder.path,
    listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'],
  });
  const announced = JSON.parse(await readFile(folder.file('announce.json'), 'utf8'));
  assert.is(announced.peer_id, node.peerId);
  assert.is(announced.multiaddr, node.address);
  assert.is(announced.multiaddrs.length, 2);
  await node.node.stop();
  assert.is(existsSync(folder.file('announce.json')), false);
});

start('stop is quick, can be repeated, and calls are refused from then on', async () => {
  await using node = await startNode();
  const waiting = failureOf(node.mesh.call('claim', { wait_s: 60 }));
  const startedMs = performance.now();
  await Promise.all([node.node.stop(), node.node.stop()]);
  assert.ok(performance.now() - startedMs < 2_000);
  assert.is((await waiting).code, 'mesh_down');
  assert.is((await failureOf(node.mesh.call('status', {}))).code, 'mesh_down');
});

start('a node that was never started answers that it does not run', async () => {
  const node = createNode(optionsIn('/nowhere'));
  await node.stop();
  assert.is((await failureOf(node.start())).code, 'wrong_state');
});

start.run();
