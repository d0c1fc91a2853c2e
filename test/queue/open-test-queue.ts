/** A queue on a real file with a clock that the test turns. */

import { setImmediate } from 'node:timers/promises';
import { defaultLimits, type Limits } from '../../src/mesh/limits.ts';
import type { MeshEvent } from '../../src/mesh/mesh.ts';
import type { ClaimedTask } from '../../src/mesh/task.ts';
import { openQueue } from '../../src/queue/engine.ts';
import type { CallContext, Queue, QueueInput } from '../../src/queue/queue.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

export type TaskEvent = Extract<MeshEvent, { type: 'task' }>;

export interface TestQueue extends AsyncDisposable {
  readonly queue: Queue;
  readonly clock: FakeClock;
  readonly path: string;
  readonly events: TaskEvent[];
  /** Closes the queue and opens the same file again, as a node that was restarted does. */
  reopen(limits?: Partial<Limits>, maxPages?: number): Promise<void>;
}

/** Random numbers of the queue under test: without jitter, and ids that differ. */
const noJitter = (): number => 0;

export async function openTestQueue(limits: Partial<Limits> = {}): Promise<TestQueue> {
  const folder = await tempFolder();
  const clock = new FakeClock();
  const path = folder.file('queue.sqlite');
  const events: TaskEvent[] = [];
  const open = async (bounds: Partial<Limits>, maxPages?: number): Promise<Queue> => {
    const opened = await openQueue({
      path,
      clock,
      limits: { ...defaultLimits, ...bounds },
      random: noJitter,
      onEvent: (event) => void events.push(event),
      ...(maxPages === undefined ? {} : { maxPages }),
    });
    await opened.start();
    return opened;
  };
  let queue = await open(limits);
  return {
    get queue() {
      return queue;
    },
    clock,
    path,
    events,
    async reopen(bounds = limits, maxPages) {
      await queue.close();
      queue = await open(bounds, maxPages);
    },
    async [Symbol.asyncDispose]() {
      await queue.close();
      await folder.remove();
    },
  };
}

/** The peer that asks where a test does not care. */
export const alice: CallContext = { caller: 'alice' };
export const bob: CallContext = { caller: 'bob' };

/** A checked submission with the table's defaults. */
export function work(changes: Partial<QueueInput<'submit'>> = {}): QueueInput<'submit'> {
  return {
    task_type: 'sum',
    model_name: '',
    payload: {},
    priority: 5,
    max_attempts: 3,
    backoff_s: 1,
    attempt_timeout_s: 3600,
    result_ttl_s: 604_800,
    ...changes,
  };
}

/** A checked claim with the table's defaults. */
export function claim(changes: Partial<QueueInput<'claim'>> = {}): QueueInput<'claim'> {
  return { worker_id: 'w', supported_task_types: [], lease_s: 30, wait_s: 0, ...changes };
}

/** A checked completion. */
export function completion(task: { task_id: string; fence: number }, result: unknown = null): QueueInput<'complete'> {
  return { task_id: task.task_id, fence: task.fence, result, status: 'completed', error: '' };
}

/** Claims a task that must be there. */
export async function mustClaim(queue: Queue, context = alice, changes = {}): Promise<ClaimedTask> {
  const { task } = await queue.claim(claim(changes), context);
  if (task === null) throw new Error('there was nothing to claim');
  return task;
}

/** Lets commits happen that were asked for, by timers for instance. */
export async function commits(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await setImmediate();
}

/** The code that a call is refused with; 'ok' when it is not. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? `not a MeshError: ${String(thrown)}`;
  }
}
