/** Our queue for the suite `queue`: the engine that each node has, with its file on disk, in the process that uses it. */

import { join } from 'node:path';
import { systemClock } from '../../src/mesh/clock.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { openQueue } from '../../src/queue/engine.ts';
import { payloadOf, type QueueOptions, type QueueUnderTest } from '../queue-peers/queue-under-test.ts';

const batch = 100;
const worked = 'bench.worked';

/** What the table of operations fills in for a task whose submitter says no more than this. */
const taskOf = (task_type: string, payload: unknown) => ({
  task_type,
  payload,
  model_name: '',
  priority: 5,
  max_attempts: 3,
  backoff_s: 1,
  attempt_timeout_s: 3600,
  result_ttl_s: 604_800,
});

export async function openOwnQueue(folder: string, options: QueueOptions): Promise<QueueUnderTest> {
  const path = join(folder, 'queue.sqlite');
  const queue = await openQueue({ path, limits: defaultLimits, clock: systemClock, random: Math.random });
  await queue.start();
  const context = { caller: 'bench' };
  const payload = payloadOf(options);
  const claim = { worker_id: 'bench', supported_task_types: [worked], lease_s: 30, wait_s: 0 };
  const completed = { result: { ok: true }, status: 'completed', error: '' } as const;
  return {
    submit: () => queue.submit(taskOf('bench.idle', payload), context),
    async fill(count) {
      const task = taskOf(worked, payload);
      for (let left = count; left > 0; left -= batch)
        await queue.submitMany({ tasks: Array.from({ length: Math.min(batch, left) }, () => task) }, context);
    },
    async drain(count, inFlight) {
      let left = count;
      const lane = async (): Promise<void> => {
        while (left-- > 0) {
          const { task } = await queue.claim(claim, context);
          if (task === null) throw new Error('There were fewer tasks than the queue was filled with.');
          await queue.complete({ task_id: task.task_id, fence: task.fence, ...completed }, context);
        }
      };
      const from = performance.now();
      await Promise.all(Array.from({ length: inFlight }, lane));
      return performance.now() - from;
    },
    close: () => queue.close(),
  };
}
