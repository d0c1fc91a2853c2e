/** Our operations of those who give work, asked of a Python node: submit, submit_many, get, list, wait, cancel, status. */

import { MeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import { isFinal, joinTaskId, splitTaskId, type Task } from '../../mesh/task.ts';
import { type AskContext, noCounterpart, type Translations } from './ask-context.ts';
import { isRecord, type Rpc } from './client-session.ts';
import { foreignId, taskOfRow } from './foreign-row.ts';

/** How much longer than the wait itself its answer may take, in seconds. */
const answerSeconds = 1;

/** What a Python node does not tell. */
const untold = -1;

type Work = CheckedInput<'submit_many'>['tasks'][number];

export const askQueue = {
  async submit(input, context) {
    return { task_id: await submitOne(input, context), status: 'queued', deduplicated: false };
  },

  /** One after the other: a Python node takes no several at once, so that some may be accepted and others not. */
  async submit_many({ tasks }, context) {
    const submitted: OperationOutput<'submit_many'>['tasks'] = [];
    for (const work of tasks) {
      try {
        submitted.push({ task_id: await submitOne(work, context), status: 'queued', deduplicated: false });
      } catch (thrown) {
        if (!(thrown instanceof MeshError) || submitted.length === 0) throw thrown;
        const taken = submitted.map(({ task_id }) => task_id);
        throw new MeshError(
          thrown.code,
          `Of ${tasks.length} tasks the Python node took ${taken.length}, see details.accepted; then: ${thrown.message}`,
          { cause: thrown, retryable: false, details: { accepted: taken } },
        );
      }
    }
    return { tasks: submitted };
  },

  async get({ task_id }, context) {
    return { task: await taskAt(task_id, await context.ask('get', { task_id: localOf(task_id) }), context) };
  },

  async list({ status, task_types, limit, cursor, detail }, context) {
    if (cursor !== '') throw noCounterpart('list with a cursor', 'Ask for more tasks at once with limit.');
    const filter = { ...(status === undefined ? {} : { status }), limit, ...(task_types.length ? { task_types } : {}) };
    const { tasks } = await context.ask('list', filter);
    if (!Array.isArray(tasks)) throw unreadable('list');
    return {
      tasks: tasks.map((row) => {
        const { payload, result, ...task } = taskOfRow(row, context.peerId());
        return detail ? { ...task, payload, result } : task;
      }),
      cursor: null,
    };
  },

  async wait({ task_id, timeout_s }, context) {
    const asked = { task_id: localOf(task_id), timeout_s };
    const reply = await context.ask('wait', asked, { leastMs: (timeout_s + answerSeconds) * 1000 });
    const { payload, ...task } = await taskAt(task_id, reply, context);
    return { task, done: isFinal(task.status) };
  },

  /** A Python node cancels what is queued, and nothing else. */
  async cancel({ task_id, reason }, context) {
    const { cancelled } = await context.ask('cancel', { task_id: localOf(task_id), reason });
    if (cancelled === true) return { task_id, status: 'cancelled', cancelled: true };
    const { status } = await taskAt(task_id, await context.ask('get', { task_id: localOf(task_id) }), context);
    if (status === 'cancelled') return { task_id, status, cancelled: false };
    throw new MeshError('wrong_state', `The task is ${status}; a Python node cancels only what is queued.`, {
      details: { status },
    });
  },

  async status({ detail }, context) {
    const reply = await context.ask('status', { detail: true });
    const capabilities = isRecord(reply.capabilities) ? reply.capabilities : {};
    const answer: OperationOutput<'status'> = {
      peer_id: context.peerId(),
      version: 'unknown',
      runtime: { name: 'python', version: 'unknown' },
      layout: 'python',
      addresses: [context.address],
      uptime_s: untold,
      connected_peers: untold,
      queue: countsIn(reply.queue),
      capabilities: { task_types: textsIn(capabilities.task_types), tools: textsIn(capabilities.tools) },
    };
    if (!detail) return answer;
    const cache = { entries: untold, bytes: untold };
    return { ...answer, detail: { protocols: [], waiters: untold, stored_bytes: untold, cache, limits: {} } };
  },
} satisfies Partial<Translations>;

async function submitOne(work: Work, context: AskContext): Promise<string> {
  const { task_type, model_name } = work;
  const reply = await context.ask('submit', { task_type, model_name, payload: payloadOf(work, context.nowMs()) });
  const id = foreignId.safeParse(reply.task_id);
  if (!id.success) throw unreadable('submit');
  return joinTaskId(id.data.toLowerCase(), context.peerId());
}

/** Options go inside of the payload there; those that are at their defaults are left out. */
function payloadOf(work: Work, nowMs: number): unknown {
  const { payload, idempotency_key, priority, max_attempts, delay_s, next_attempt_at } = work;
  for (const [name, value, usual] of [
    ['backoff_s', work.backoff_s, 1],
    ['attempt_timeout_s', work.attempt_timeout_s, 3600],
    ['result_ttl_s', work.result_ttl_s, 604_800],
  ] as const)
    if (value !== usual) throw noCounterpart(name, 'Leave it out for tasks that are given to a Python node.');
  const at = delay_s === undefined ? next_attempt_at : nowMs / 1000 + delay_s;
  const options = {
    ...(idempotency_key === undefined ? {} : { idempotency_key }),
    ...(priority === 5 ? {} : { priority }),
    ...(max_attempts === 3 ? {} : { max_attempts }),
    ...(at === undefined ? {} : { next_attempt_at: at }),
  };
  if (Object.keys(options).length === 0) return payload;
  if (isRecord(payload)) return { ...payload, ...options };
  const names = Object.keys(options).join(', ');
  throw new MeshError(
    'invalid_params',
    `A Python node takes ${names} inside of the payload, so the payload must be an object there.`,
  );
}

export async function taskAt(task_id: string, { task }: Rpc, context: AskContext): Promise<Task> {
  if (task === null || task === undefined)
    throw new MeshError('task_not_found', 'The Python node has no task of this id.');
  // A node that has started anew has another identity; the id that the caller knows stays as it is.
  return taskOfRow(task, splitTaskId(task_id).owner ?? context.peerId());
}

export function localOf(taskId: string): string {
  return splitTaskId(taskId).local;
}

export function unreadable(op: string): MeshError {
  return new MeshError('peer_protocol_error', `The Python node’s answer to ${op} cannot be read.`);
}

function countsIn(queue: unknown): OperationOutput<'status'>['queue'] {
  const found = isRecord(queue) ? (isRecord(queue.counts) ? queue.counts : queue) : {};
  const count = (state: string): number => (Number.isSafeInteger(found[state]) ? Number(found[state]) : untold);
  return {
    queued: count('queued'),
    running: count('running'),
    completed: count('completed'),
    failed: count('failed'),
    cancelled: count('cancelled'),
  };
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').map(String) : [];
}
