/**
 * What a task is, as every face shows it, and which way its status may go.
 *
 * Fields are snake_case, times are epoch seconds and durations are seconds (`_s`), both with fractions: these are the
 * names and units that users of the Python node's tools know. Inside the program durations are milliseconds (`…Ms`).
 */

import { z } from 'zod';

/** `failed` is the dead letter: attempts used up or given up by the worker; `retry` brings it back by hand. */
export const taskStatuses = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export const taskStatus = z.enum(taskStatuses);
export type TaskStatus = z.infer<typeof taskStatus>;

/** What may happen to a task. `expire` is a lease or an attempt that ran out of time. */
export type TaskVerb = 'claim' | 'heartbeat' | 'complete' | 'fail' | 'release' | 'expire' | 'cancel' | 'retry';

/**
 * The state machine. A verb that is missing in a state's row is refused there.
 * `fail` and `expire` lead to `queued` while attempts are left, and to `failed` when they are used up.
 */
export const transitions: Readonly<Record<TaskStatus, Readonly<Partial<Record<TaskVerb, readonly TaskStatus[]>>>>> = {
  queued: { claim: ['running'], cancel: ['cancelled'] },
  running: {
    heartbeat: ['running'],
    complete: ['completed'],
    fail: ['queued', 'failed'],
    release: ['queued'],
    expire: ['queued', 'failed'],
    cancel: ['cancelled'],
  },
  completed: {},
  failed: { retry: ['queued'] },
  cancelled: { retry: ['queued'] },
};

/** Whether nothing will happen to a task in this state by itself any more. */
export function isFinal(status: TaskStatus): boolean {
  return status !== 'queued' && status !== 'running';
}

/** A task id names its owner: `<32 hex>@<peer id>`. A bare `<32 hex>` means the node that is asked. */
export const taskIdPattern = /^[0-9a-f]{32}(@[1-9A-HJ-NP-Za-km-z]{30,80})?$/;

export const taskId = z
  .string()
  .regex(taskIdPattern, 'A task id is 32 hex digits, then "@" and the owner’s peer id, as submit answered it.')
  .describe('The task’s id as submit answered it: 32 hex digits, "@", the peer id of the node that owns the task.');

/** Takes a task id apart. `owner` is undefined for a bare id. */
export function splitTaskId(id: string): { local: string; owner: string | undefined } {
  const at = id.indexOf('@');
  return at < 0 ? { local: id, owner: undefined } : { local: id.slice(0, at), owner: id.slice(at + 1) };
}

/** Makes the id that the outside sees from the owner's own one. */
export function joinTaskId(local: string, owner: string): string {
  return `${local}@${owner}`;
}

const epochSeconds = z.number().describe('Epoch seconds.');

export const task = z.object({
  task_id: z.string(),
  task_type: z.string(),
  model_name: z.string(),
  status: taskStatus,
  priority: z.number().int().describe('1 to 10; 10 goes first.'),
  attempt: z
    .number()
    .int()
    .describe('How often the task has been handed to a worker, this time included; a release does not count.'),
  max_attempts: z.number().int().describe('0: no limit.'),
  created_at: epochSeconds,
  updated_at: epochSeconds,
  next_attempt_at: epochSeconds.nullable().describe('Not to be claimed before this.'),
  started_at: epochSeconds.nullable().describe('When the current or last attempt was claimed.'),
  finished_at: epochSeconds.nullable(),
  expires_at: epochSeconds.nullable().describe('When a finished task and its result will be pruned.'),
  lease_until: epochSeconds.nullable().describe('When the lease ends unless a heartbeat renews it.'),
  heartbeat_at: epochSeconds.nullable(),
  assigned_worker: z.string().nullable().describe('What the worker calls itself; it stays when the task is finished.'),
  assigned_peer: z.string().nullable().describe('The peer id that the claim came from, known by its connection.'),
  submitted_by: z
    .string()
    .nullable()
    .optional()
    .describe('The peer id that the task was submitted from, known by its connection.'),
  progress: z.unknown().describe('What the worker last reported, or null.'),
  error: z.string().nullable().describe('Why the last attempt failed, or why the task was cancelled.'),
  idempotency_key: z.string().nullable(),
  payload: z.unknown().optional(),
  result: z.unknown().optional(),
});

/** A task as every face shows it. */
export type Task = z.infer<typeof task>;

export const claimedTask = task.extend({
  fence: z
    .number()
    .int()
    .describe('Grows with every claim of this task. Hand it back with every heartbeat, complete, fail and release.'),
  lease_s: z.number().describe('Seconds from the last heartbeat until the lease ends.'),
  attempt_timeout_s: z.number().describe('Seconds that the whole attempt may take; 0: no limit.'),
});

/** A task with the lease that its claimer holds. */
export type ClaimedTask = z.infer<typeof claimedTask>;
