/**
 * One direction of a link is lost: what the other side says still arrives, and each believes something else about the other.
 * A file for each direction runs this, because each takes the better part of a minute.
 */

import { setTimeout as pass } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { labSuite } from './lab-suite.ts';
import { boundSeconds, openThousand } from './thousand-tasks.ts';

/** Longer than a lease and than it takes to notice; the length of the loss is what is tested. */
const outageMs = 15_000;

export async function testOneWayLoss(mute: 'owner' | 'helper'): Promise<void> {
  const test = await labSuite('one-way loss');

  test(`nothing the ${mute} says arrives for 15 s: nothing is lost, nothing is accepted twice, all is finished ${boundSeconds} s after the healing`, async () => {
    await using thousand = await openThousand({ owner: 'deno', helper: 'node', tasks: 500 });
    const { owner, helper } = thousand;
    const [from, to] = mute === 'owner' ? [owner, helper] : [helper, owner];
    await thousand.begun(0.5);
    await from.dropTo(to);
    await pass(outageMs);
    assert.ok(thousand.underWay, 'there was work left when the loss began');
    await from.reach(to);
    await thousand.allFinish();
    await thousand.reckon();
  });

  test.run();
}
