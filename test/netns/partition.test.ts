/** The cable is pulled for half a minute in the middle of a thousand tasks. */

import { setTimeout as pass } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { labSuite } from './lab-suite.ts';
import { boundSeconds, openThousand } from './thousand-tasks.ts';

const test = await labSuite('a partition');

/** The length of the outage is what is tested: the one time here that the clock is waited for. */
const outageMs = 30_000;

test(`30 s without a link in the middle of 1,000 tasks: nothing is lost, nothing is accepted twice, all is finished ${boundSeconds} s after the healing`, async () => {
  await using thousand = await openThousand({ owner: 'node', helper: 'deno' });
  const { helper } = thousand;
  await thousand.begun(0.5);
  await helper.unplug();
  await pass(outageMs);
  assert.ok(thousand.underWay, 'there was work left when the link went down');
  await helper.plug();
  await thousand.allFinish();
  await thousand.reckon();
});

test.run();
