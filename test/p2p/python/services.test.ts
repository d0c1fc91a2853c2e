/**
 * The services as a user starts them, each with a door for Python nodes: raw frames from a Python client, and one service that uses
 * the other as a Python node.
 */

import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { createHttpMesh } from '../../../src/cli/http-mesh.ts';
import { readAnnouncement } from '../../../src/p2p/discovery/announce-file.ts';
import { type RuntimeName, refusedService, type Service, startService } from '../../support/service.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { suite } from '../../tooling/suite.ts';
import { rawHost } from '../support.ts';
import { askFresh, askLine, lineOf, token } from './support.ts';

const test = suite('services with a door for Python nodes');

const quiet = ['--no-mdns', '--p2p-listen', '/ip4/127.0.0.1/tcp/0'];
const others: Readonly<Record<RuntimeName, RuntimeName>> = { node: 'deno', deno: 'node' };

for (const runtime of ['node', 'deno'] as const)
  test(`on ${runtime}: a Python client hands work in, and a service on ${others[runtime]} does it as a Python worker`, async () => {
    await using folder = await tempFolder();
    await using userFolder = await tempFolder();
    // In the data folder the token is found by itself.
    for (const each of [folder, userFolder]) await writeFile(each.file('python.token'), `${token}\n`, { mode: 0o600 });
    await using service: Service = await startService({
      runtime,
      data: folder.path,
      flags: [...quiet, '--python-listen', '/ip4/127.0.0.1/tcp/0', '--python-legacy'],
    });
    const announced = await readAnnouncement(folder.file('python-announce.json'));
    assert.is(announced.peer_id, service.peerId);
    const address = announced.multiaddr;
    const { task_id, ok } = await askFresh(address, 'submit', { task_type: 'e2e', payload: { text: 'né' } });
    assert.ok(ok);

    const place = address.replace(/\/p2p\/.*$/, '');
    await using user = await startService({
      runtime: others[runtime],
      data: userFolder.path,
      flags: [...quiet, '--python-peers', place],
    });
    await using mesh = createHttpMesh({ url: user.url, version: '0' });
    const { task } = await mesh.call('claim', {
      worker_id: 'w',
      supported_task_types: ['e2e'],
      remote_multiaddr: place,
    });
    assert.equal([task?.task_id, task?.payload], [`${task_id}@${service.peerId}`, { text: 'né' }]);
    const lease = { task_id: task?.task_id ?? '', fence: task?.fence ?? 0 };
    assert.is((await mesh.call('complete', { ...lease, result: 'done' })).status, 'completed');
    const { task: row } = await askFresh(address, 'wait', { task_id, timeout_s: 5 });
    assert.equal([row?.status, row?.result, row?.assigned_worker], ['completed', 'done', 'w']);

    // Without naming the node, too.
    const { task_id: next } = await askFresh(address, 'submit', { task_type: 'e2e', payload: 2 });
    const { task: found } = await mesh.call('claim', { supported_task_types: ['e2e'], wait_s: 20 });
    assert.is(found?.task_id, `${next}@${service.peerId}`);
    await mesh.call('complete', { task_id: found?.task_id ?? '', fence: found?.fence ?? 0, result: 4 });
    assert.is((await askFresh(address, 'get', { task_id: next })).task?.result, 4);
    const { peers } = await mesh.call('peers', {});
    assert.equal(
      peers.map((peer) => [peer.peer_id, peer.protocol, peer.connected, peer.addresses]),
      [[service.peerId, 'python', true, [place]]],
    );
    assert.is((await mesh.call('discover', { timeout_s: 5 })).attempts.at(-1)?.method, 'python');

    await using host = await rawHost([]);
    assert.ok((await askLine(host, address, lineOf({ op: 'get', task_id, token }))).ok);
    assert.not(service.output().includes(token));
    assert.not(user.output().includes(token));
    assert.is((await service.stop()).code, 0);
  });

test('a listener without a token is refused, and said how to make one', async () => {
  await using folder = await tempFolder();
  const flags = [...quiet, '--python-listen', '/ip4/0.0.0.0/tcp/0'];
  const { code, output } = await refusedService({ runtime: 'node', data: folder.path, flags });
  assert.is(code, 2);
  assert.match(output, /openssl rand -hex 32/);
});

test.run();
