/** Two hosts with public addresses: AutoNAT has each dial the other to see whether it can be dialled, beside the connection in use. */

import * as assert from 'uvu/assert';
import { tempFolder } from '../support/temp-folder.ts';
import { addressOf, clientOn, serviceOn } from './hosts.ts';
import { openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

const test = await labSuite('AutoNAT');

const hasDialledBack = /auto-nat: successfully dialed/;

for (const [owner, worker] of [
  ['node', 'deno'],
  ['deno', 'node'],
] as const) {
  test(`a claim of ${worker} that waits at ${owner} outlives the dials that AutoNAT asks for`, async () => {
    await using folder = await tempFolder();
    await using lab = await openLab({ owner: ['net'], worker: ['net'] }, 'public');
    const { hosts } = lab;
    await shareMeshKey(folder.path, Object.values(hosts));
    const flags = ['--no-mdns', '--no-dht', '--log-level', 'debug', '--p2p-listen', '/ip4/0.0.0.0/tcp/0'];
    await using owning = await serviceOn(hosts.owner, { runtime: owner, folder: folder.path, flags });
    await using working = await serviceOn(hosts.worker, { runtime: worker, folder: folder.path, flags });
    await using client = clientOn(hosts.owner, owning);
    await using claimer = clientOn(hosts.worker, working);
    await claimer.ask('connect_peer', { remote_multiaddr: addressOf(owning, hosts.owner) });
    const target = { remote_peer_id: owning.peerId };
    const claimed = claimer.ask('p2p_taskqueue_claim_next', { supported_task_types: ['any'], wait_s: 50, ...target });
    const until = performance.now() + 30_000;
    while (!hasDialledBack.test(owning.output()) && !hasDialledBack.test(working.output())) {
      if (performance.now() > until) throw new Error('AutoNAT has dialled nobody');
      await client.ask('p2p_taskqueue_status');
    }
    const { task_id } = await client.ask('p2p_taskqueue_submit', { task_type: 'any', payload: {} });
    assert.is(((await claimed).task as { task_id: string } | null)?.task_id, task_id);
  });
}

test.run();
