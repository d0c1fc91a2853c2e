/** A link that goes up and down once a second, as one with a bad plug does. */

import { setTimeout as pass } from 'node:timers/promises';
import { labSuite } from './lab-suite.ts';
import { boundSeconds, openThousand } from './thousand-tasks.ts';

const test = await labSuite('a flapping link');

const flaps = 8;

/** How long each state of the link lasts is what is tested. */
const downMs = 1_000;
const upMs = 700;

test(`a link that flaps ${flaps} times during 500 tasks: nothing is lost, nothing is accepted twice, all is finished ${boundSeconds} s after the last`, async () => {
  await using thousand = await openThousand({ owner: 'node', helper: 'node', tasks: 500 });
  const { helper } = thousand;
  await thousand.begun(0.1);
  for (let flap = 0; flap < flaps; flap++) {
    await helper.unplug();
    await pass(downMs);
    await helper.plug();
    await pass(upMs);
  }
  await thousand.allFinish();
  await thousand.reckon();
});

test.run();
