/** The operations of those who do work: claim, and the verbs on a lease. Each of these carries the lease's fence. */

import { z } from 'zod';
import { operation, seconds, target } from '../operation.ts';
import { claimedTask, taskId, taskStatus } from '../task.ts';

const lease = {
  task_id: taskId,
  fence: z.int().min(1).describe('The fence that claim answered with the task.'),
};

const settled = z.object({ task_id: z.string(), status: taskStatus });

const claimRefusal = z.object({
  peer_id: z.string(),
  task_types: z.array(z.string()).describe('Empty: any type.'),
  message: z.string().describe('Why, and what to do where.'),
});
export type ClaimRefusal = z.infer<typeof claimRefusal>;

export const claim = operation({
  tool: 'p2p_taskqueue_claim_next',
  title: 'Claim a task',
  summary: 'Take the next task of the given types, with a lease on it.',
  description:
    'Hands you the next task of the types you can do, from this node’s queue, any connected peer’s or any configured Python node’s, with a lease: renew it with ' +
    'p2p_taskqueue_heartbeat before lease_s is over, and end with p2p_taskqueue_complete_task, _fail_task or _release_task, each with the fence from this answer. ' +
    'task is null when there was nothing to do within wait_s; refused says then which types which peers do not let you claim.',
  input: z.strictObject({
    worker_id: z
      .string()
      .max(200)
      .default('')
      .describe('What the worker calls itself, for people who look at the task.'),
    supported_task_types: z
      .array(z.string().min(1).max(200))
      .max(100)
      .default([])
      .describe('Types the worker can do. Empty: any.'),
    lease_s: seconds(3600, 1)
      .default(30)
      .describe('How long the worker may be silent before the task is given to another.'),
    wait_s: seconds(600).default(0).describe('How long to wait for a task when there is none.'),
    ...target,
  }),
  output: z.object({
    task: claimedTask.nullable(),
    refused: z
      .array(claimRefusal)
      .optional()
      .describe('Peers that do not let this node claim these types; only where task is null.'),
  }),
  hints: { readOnly: false, idempotent: false, destructive: false },
  scope: 'queue:work',
  remote: true,
  waitMs: (input) => input.wait_s * 1000,
});

export const heartbeat = operation({
  tool: 'p2p_taskqueue_heartbeat',
  title: 'Renew a lease',
  summary: 'Say that the worker is alive, and how far it is.',
  description:
    'Renews the lease on a claimed task and optionally stores progress that those who wait for the task will see. ' +
    'Refused with stale_fence when the lease was lost and with task_cancelled when the task was cancelled: stop working then.',
  input: z.strictObject({
    ...lease,
    lease_s: seconds(3600, 1).optional().describe('A new length for the lease; without it, the one that was claimed.'),
    progress: z
      .unknown()
      .optional()
      .describe('Any small JSON, e.g. {"done": 3, "of": 10}. Without it, the last one stays.'),
    ...target,
  }),
  output: z.object({ task_id: z.string(), lease_until: z.number(), lease_s: z.number() }),
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'queue:work',
  remote: true,
});

export const complete = operation({
  tool: 'p2p_taskqueue_complete_task',
  title: 'Complete a task',
  summary: 'Hand in the result of a claimed task.',
  description:
    'Ends a claimed task with its result (any JSON, up to 1 MiB). Only the holder of the lease can: fence is the one that claim answered. Repeating it is harmless: the first result stays. With status "failed" it does what p2p_taskqueue_fail_task does.',
  input: z.strictObject({
    ...lease,
    result: z.unknown().default(null),
    status: z.enum(['completed', 'failed']).default('completed'),
    error: z.string().max(8000).default('').describe('Why, when status is "failed".'),
    ...target,
  }),
  output: settled,
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'queue:work',
  remote: true,
});

export const fail = operation({
  tool: 'p2p_taskqueue_fail_task',
  title: 'Fail a task',
  summary: 'Say that an attempt at a claimed task failed.',
  description:
    'Ends the attempt with an error. The task is queued again after its backoff while attempts are left, else it becomes a dead letter (status failed). retry false: a dead letter at once.',
  input: z.strictObject({
    ...lease,
    error: z.string().max(8000).describe('What went wrong, for people.'),
    retry: z.boolean().default(true).describe('False when another attempt cannot help.'),
    delay_s: seconds(31_536_000).optional().describe('Wait before the next attempt; without it, the task’s backoff.'),
    ...target,
  }),
  output: settled,
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'queue:work',
  remote: true,
});

export const release = operation({
  tool: 'p2p_taskqueue_release_task',
  title: 'Give a task back',
  summary: 'Give a claimed task back undone; the attempt does not count.',
  description: 'Puts a claimed task back into the queue for another worker, without counting the attempt.',
  input: z.strictObject({
    ...lease,
    reason: z.string().max(2000).default(''),
    delay_s: seconds(31_536_000).default(0),
    ...target,
  }),
  output: settled,
  hints: { readOnly: false, idempotent: true, destructive: false },
  scope: 'queue:work',
  remote: true,
});
