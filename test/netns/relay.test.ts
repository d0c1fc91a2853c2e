/**
 * Two hosts on different segments, and a relay that is on both: neither can send the other a packet, and still work goes from
 * one to the other, through the relay and encrypted end to end.
 */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RuntimeName, Service } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { clientOn, serviceOn } from './hosts.ts';
import { type Host, openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

const test = await labSuite('a relay');

/** An address that leads through a relay. */
const relayed = /\/p2p-circuit\//;

for (const [giver, relay, taker] of [
  ['node', 'node', 'deno'],
  ['deno', 'node', 'node'],
] as const) {
  test(`a host on ${taker} that only the relay can reach takes work from one on ${giver} behind the same relay`, async () => {
    await using folder = await tempFolder();
    await using lab = await openLab({ left: ['west'], middle: ['west', 'east'], right: ['east'] });
    const { left, middle, right } = lab.hosts;
    await shareMeshKey(folder.path, [left, middle, right]);
    const start = (host: Host, runtime: RuntimeName, flags: readonly string[]): Promise<Service> =>
      serviceOn(host, {
        runtime,
        folder: folder.path,
        flags: ['--no-mdns', '--p2p-listen', '/ip4/0.0.0.0/tcp/0', ...flags],
      });
    await using between = await start(middle, relay, ['--relay']);
    const onSegment = (segment: string): string => {
      const found = between.addresses.find((address) => address.includes(`/${middle.address(segment)}/`));
      if (found === undefined) throw new Error(`the relay listens on ${between.addresses.join(', ')} only`);
      return found;
    };
    const announced = join(folder.path, 'right.json');
    await using helper = await start(right, taker, ['--relays', onSegment('east'), '--announce-file', announced]);
    await using owner = await start(left, giver, ['--relays', onSegment('west')]);
    await using client = clientOn(left, owner);
    await using worker = clientOn(right, helper);

    // The helper knows the owner by nothing but a relayed address.
    const throughRelay = `${onSegment('east')}/p2p-circuit/p2p/${owner.peerId}`;
    const connected = await worker.ask('connect_peer', { remote_multiaddr: throughRelay });
    assert.match(String(connected.multiaddr), relayed);
    const { task_id } = await client.ask('p2p_taskqueue_submit', { task_type: 'far', payload: { from: 'left' } });
    const claimed = await worker.ask('p2p_taskqueue_claim_next', { supported_task_types: ['far'], wait_s: 20 });
    const task = claimed.task as { task_id: string; fence: number } | null;
    assert.is(task?.task_id, task_id);
    await worker.ask('p2p_taskqueue_complete_task', { task_id, fence: task?.fence, result: 'from the right' });
    const finished = await client.ask('p2p_taskqueue_wait_task', { task_id, timeout_s: 10 });
    assert.is((finished.task as { result: unknown }).result, 'from the right');
    // Nothing direct has come about meanwhile, since nothing can.
    const still = await worker.ask('connect_peer', { remote_peer_id: owner.peerId });
    assert.match(String(still.multiaddr), relayed);
  });
}

test.run();
