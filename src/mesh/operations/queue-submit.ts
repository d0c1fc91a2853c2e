/** The operations of those who give work: submit, look, wait, cancel, retry. */

import { z } from 'zod';
import { operation, seconds, target, targetByPeerId } from '../operation.ts';
import { task, taskId, taskStatus } from '../task.ts';

const work = {
  task_type: z
    .string()
    .min(1)
    .max(200)
    .default('text-generation')
    .describe('What kind of work it is; workers claim by type.'),
  model_name: z
    .string()
    .max(200)
    .default('')
    .describe('Which model or variant the worker should use, where that matters.'),
  payload: z.unknown().default({}).describe('The work itself: any JSON, up to 1 MiB.'),
  priority: z.int().min(1).max(10).default(5).describe('10 goes first, then age.'),
  max_attempts: z
    .int()
    .min(0)
    .max(1000)
    .default(3)
    .describe('Attempts before the task becomes a dead letter. 0: no limit.'),
  idempotency_key: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Submitting the same work under the same key again answers the first task. Use one whenever you might submit twice.',
    ),
  delay_s: seconds(31_536_000).optional().describe('Not to be claimed before this many seconds.'),
  next_attempt_at: z
    .number()
    .min(0)
    .max(1e11)
    .optional()
    .describe('Not to be claimed before this time, in epoch seconds. delay_s goes first.'),
  backoff_s: seconds(86_400)
    .default(1)
    .describe('Wait before the second attempt; it doubles with each further one, up to an hour.'),
  attempt_timeout_s: seconds(604_800)
    .default(3600)
    .describe('An attempt that takes longer is ended, however alive its worker is. 0: no limit.'),
  result_ttl_s: seconds(31_536_000, 1).default(604_800).describe('How long the finished task and its result are kept.'),
};

const submitted = z.object({
  task_id: z.string(),
  status: taskStatus,
  deduplicated: z.boolean().describe('True when the idempotency key was known and this is the first task.'),
});

export const submit = operation({
  tool: 'p2p_taskqueue_submit',
  title: 'Submit a task',
  summary: 'Give a task to the mesh; a worker on any node that serves its type does it.',
  description:
    'Puts a task into the queue of this node (or of the peer you name) and answers its task_id at once; the task is on disk by then. ' +
    'A worker of any machine in the mesh that claims this task_type will do it. Call p2p_taskqueue_wait_task with the task_id to get the result. ' +
    'Give an idempotency_key if you may have to repeat the call.',
  input: z.strictObject({ ...work, ...targetByPeerId }),
  output: submitted,
  hints: { readOnly: false, idempotent: false, destructive: false },
  scope: 'queue:submit',
  remote: true,
});

export const submitMany = operation({
  tool: 'p2p_taskqueue_submit_many',
  title: 'Submit several tasks',
  summary: 'Give up to 100 tasks to the mesh in one call, all or none.',
  description:
    'Like p2p_taskqueue_submit for up to 100 tasks at once. Either all are accepted (and on disk) or none is.',
  input: z.strictObject({ tasks: z.array(z.strictObject(work)).min(1).max(100), ...target }),
  output: z.object({ tasks: z.array(submitted) }),
  hints: { readOnly: false, idempotent: false, destructive: false },
  scope: 'queue:submit',
  remote: true,
});

export const get = operation({
  tool: 'p2p_taskqueue_get_task',
  title: 'Look at a task',
  summary: 'Show one task: status, worker, progress, result.',
  description:
    'Answers the task as it is now, with payload, progress and result. To wait for the result call p2p_taskqueue_wait_task instead of repeating this.',
  input: z.strictObject({ task_id: taskId, ...target }),
  output: z.object({ task }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'queue:read',
  remote: true,
});

export const list = operation({
  tool: 'p2p_taskqueue_list_tasks',
  title: 'List tasks',
  summary: 'List the tasks of a node, oldest first.',
  description:
    'Lists tasks of this node’s queue (or of the peer you name), oldest first. Payloads and results are left out unless detail is true. For the next page call again with the answer’s cursor.',
  input: z.strictObject({
    status: taskStatus.optional().describe('Only tasks in this state.'),
    task_types: z.array(z.string().max(200)).max(100).default([]).describe('Only these types. Empty: all.'),
    limit: z.int().min(1).max(1000).default(50),
    cursor: z.string().max(200).default('').describe('From an earlier answer, to go on behind it.'),
    detail: z.boolean().default(false).describe('With payloads and results.'),
    ...target,
  }),
  output: z.object({
    tasks: z.array(task),
    cursor: z.string().nullable().describe('Hand it in to go on; null: there is no more.'),
  }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'queue:read',
  remote: true,
});

export const wait = operation({
  tool: 'p2p_taskqueue_wait_task',
  title: 'Wait for a task',
  summary: 'Wait until a task is finished, and show its result.',
  description:
    'Waits until the task is completed, failed or cancelled, or until timeout_s is over, and answers it with its result (not its payload). done is false when the time was over first: ' +
    'then call again. Progress of the worker is reported meanwhile to clients that ask for progress.',
  input: z.strictObject({ task_id: taskId, timeout_s: seconds(600).default(60), ...target }),
  output: z.object({ task, done: z.boolean().describe('Whether the task is finished.') }),
  hints: { readOnly: true, idempotent: true, destructive: false },
  scope: 'queue:read',
  remote: true,
  waitMs: (input) => input.timeout_s * 1000,
});

export const cancel = operation({
  tool: 'p2p_taskqueue_cancel_task',
  title: 'Cancel a task',
  summary: 'Cancel a queued or running task; its worker is told to stop.',
  description:
    'Cancels a task that is queued or running. A worker that holds it is told to stop and its result will be refused. Cancelling a cancelled task again changes nothing.',
  input: z.strictObject({ task_id: taskId, reason: z.string().max(2000).default(''), ...target }),
  output: z.object({
    task_id: z.string(),
    status: taskStatus,
    cancelled: z.boolean().describe('False when it had been cancelled before.'),
  }),
  hints: { readOnly: false, idempotent: true, destructive: true },
  scope: 'queue:cancel',
  remote: true,
});

export const retry = operation({
  tool: 'p2p_taskqueue_retry_task',
  title: 'Retry a dead task',
  summary: 'Queue a failed or cancelled task again, with fresh attempts.',
  description:
    'Brings a failed (dead letter) or cancelled task back into the queue with its attempts counted from zero.',
  input: z.strictObject({ task_id: taskId, delay_s: seconds(31_536_000).default(0), ...target }),
  output: z.object({ task_id: z.string(), status: taskStatus }),
  hints: { readOnly: false, idempotent: false, destructive: false },
  scope: 'queue:cancel',
  remote: true,
});
