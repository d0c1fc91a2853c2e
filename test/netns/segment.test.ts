/** Two hosts on one segment find each other: by mDNS, by an announce file, by a configured address. */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RuntimeName, Service } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { addressOf, clientOn, type HostClient, serviceOn } from './hosts.ts';
import { type Host, openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

const test = await labSuite('one segment');

interface Scene {
  readonly a: Host;
  readonly b: Host;
  /** The folder that holds both data folders. */
  readonly folder: string;
}

type Run = (scene: Scene) => Promise<void>;

async function onTwoHosts(run: Run): Promise<void> {
  await using folder = await tempFolder();
  await using lab = await openLab({ a: ['lan'], b: ['lan'] });
  await shareMeshKey(folder.path, [lab.hosts.a, lab.hosts.b]);
  await run({ ...lab.hosts, folder: folder.path });
}

function start(host: Host, { folder }: Scene, runtime: RuntimeName, flags: readonly string[]): Promise<Service> {
  const listen = ['--p2p-listen', `/ip4/${host.address()}/tcp/0`];
  return serviceOn(host, { runtime, folder, flags: [...listen, ...flags] });
}

/** A waiting claim of a host that knows nobody yet gets the task of the peer that is found meanwhile. */
async function workCrosses(giver: HostClient, taker: HostClient): Promise<void> {
  const claimed = taker.ask('p2p_taskqueue_claim_next', { supported_task_types: ['found'], wait_s: 30 });
  const { task_id } = await giver.ask('p2p_taskqueue_submit', { task_type: 'found', payload: {} });
  const task = (await claimed).task as { task_id: string; fence: number } | null;
  assert.is(task?.task_id, task_id);
  await taker.ask('p2p_taskqueue_complete_task', { task_id, fence: task?.fence, result: 'done' });
  const { task: finished } = await giver.ask('p2p_taskqueue_wait_task', { task_id, timeout_s: 10 });
  assert.is((finished as { result: unknown }).result, 'done');
}

for (const [first, second] of [
  ['node', 'deno'],
  ['deno', 'node'],
] as const) {
  test(`mDNS: ${first} and ${second} find each other with nothing configured but the mesh key`, () =>
    onTwoHosts(async (scene) => {
      await using one = await start(scene.a, scene, first, []);
      await using two = await start(scene.b, scene, second, []);
      await using giver = clientOn(scene.a, one);
      await using taker = clientOn(scene.b, two);
      await workCrosses(giver, taker);
      const { peers } = (await taker.ask('list_peers', { connected_only: true })) as { peers: { peer_id: string }[] };
      assert.equal(
        peers.map(({ peer_id }) => peer_id),
        [one.peerId],
      );
    }));
}

test('an announce file that both can read is enough, also when the node behind it comes later', () =>
  onTwoHosts(async (scene) => {
    const announced = join(scene.folder, 'announce.json');
    await using two = await start(scene.b, scene, 'node', ['--no-mdns', '--bootstrap', announced]);
    await using one = await start(scene.a, scene, 'node', ['--no-mdns', '--announce-file', announced]);
    await using giver = clientOn(scene.a, one);
    await using taker = clientOn(scene.b, two);
    await workCrosses(giver, taker);
  }));

test('a configured address is enough', () =>
  onTwoHosts(async (scene) => {
    await using one = await start(scene.a, scene, 'deno', ['--no-mdns']);
    const known = addressOf(one, scene.a);
    await using two = await start(scene.b, scene, 'deno', ['--no-mdns', '--bootstrap', known]);
    await using giver = clientOn(scene.a, one);
    await using taker = clientOn(scene.b, two);
    await workCrosses(giver, taker);
  }));

test.run();
