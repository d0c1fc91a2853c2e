/**
 * A host that nobody can dial is called through a relay by one with a public address: libp2p's DCUtR dials back, and the relayed
 * connection gives way to a direct one.
 */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { tempFolder } from '../support/temp-folder.ts';
import { addressOf, clientOn, serviceOn } from './hosts.ts';
import { openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

const test = await labSuite('DCUtR');

for (const [outside, inside] of [
  ['node', 'deno'],
  ['deno', 'node'],
] as const) {
  test(`${inside} behind a relay dials ${outside} back, and work goes directly`, async () => {
    await using folder = await tempFolder();
    await using lab = await openLab({ caller: ['net'], relay: ['net'], called: ['net'] }, 'public');
    const { caller, relay, called } = lab.hosts;
    await shareMeshKey(folder.path, [caller, relay, called]);
    const everywhere = ['--no-mdns', '--p2p-listen', '/ip4/0.0.0.0/tcp/0'];
    await using between = await serviceOn(relay, {
      ...{ runtime: 'node', folder: folder.path },
      flags: [...everywhere, '--relay', '--no-dht'],
    });
    // It listens on loopback only, as every node does by default: others have nothing of it but its place at the relay.
    await using hidden = await serviceOn(called, {
      ...{ runtime: inside, folder: folder.path },
      flags: ['--no-mdns', '--no-dht', '--log-level', 'debug', '--relays', addressOf(between, relay)],
    });
    await using open = await serviceOn(caller, {
      ...{ runtime: outside, folder: folder.path },
      flags: [...everywhere, '--no-dht', '--announce-file', join(folder.path, 'caller.json')],
    });
    await using client = clientOn(caller, open);
    await using worker = clientOn(called, hidden);
    const place = `${addressOf(between, relay)}/p2p-circuit/p2p/${hidden.peerId}`;
    for (let told: unknown[] = []; !told.includes(place); )
      told = (await worker.ask('p2p_taskqueue_status')).addresses as unknown[];
    await client.ask('connect_peer', { remote_multiaddr: place });
    // Its claim waits at the caller; it is woken over whatever connection there is.
    const claimed = worker.ask('p2p_taskqueue_claim_next', { supported_task_types: ['near'], wait_s: 20 });
    await client.ask('p2p_taskqueue_submit', { task_type: 'near', payload: {} });
    assert.is(((await claimed).task as { task_type: string } | null)?.task_type, 'near');
    // It was dialled by one that can be dialled nowhere: there is no address to tell, and no relay in between.
    const until = performance.now() + 30_000;
    let inUse: unknown;
    do inUse = (await client.ask('connect_peer', { remote_peer_id: hidden.peerId })).multiaddr;
    while (inUse !== '' && performance.now() < until);
    assert.is(inUse, '');
    assert.match(hidden.output(), /unilateral connection upgrade to \S+ succeeded via \/ip4\/81\./);
  });
}

test.run();
