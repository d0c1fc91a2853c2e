/**
 * A process that locks a data folder and works its queue at full speed until it is killed: what kill.test.ts kills.
 * Prints a line for each thing that was acknowledged: `up`, `s <id> <length of the payload>` (submitted), `c <id>` (completed, with a
 * result of the same length).
 */

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { systemClock } from '../../src/mesh/clock.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { openQueue } from '../../src/queue/engine.ts';
import { lockDataFolder } from '../../src/queue/lock.ts';
import { claim, completion, work } from './open-test-queue.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: busy-process.ts <data folder>');
lockDataFolder(folder);
const path = join(folder, 'queue.sqlite');
const queue = await openQueue({ path, limits: defaultLimits, clock: systemClock, random: Math.random });
await queue.start();
const context = { caller: 'busy' };

/** Written at once, so that a kill cannot take back what was said; a reader that is behind is waited for. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EAGAIN') throw error;
    }
  }
}

/** Some are large enough for a file of their own. */
const lengths = [200, 200, 200, 100_000];

async function submitForEver(): Promise<never> {
  for (let turn = 0; ; turn++) {
    const length = lengths[turn % lengths.length] ?? 0;
    const { task_id } = await queue.submit(work({ payload: 'x'.repeat(length) }), context);
    say(`s ${task_id} ${length}`);
  }
}

async function workForEver(): Promise<never> {
  for (;;) {
    const { task } = await queue.claim(claim({ wait_s: 60 }), context);
    if (task === null) continue;
    await queue.complete(completion(task, 'y'.repeat(String(task.payload).length)), context);
    say(`c ${task.task_id}`);
  }
}

say('up');
await Promise.all([...Array.from({ length: 12 }, submitForEver), ...Array.from({ length: 8 }, workForEver)]);
