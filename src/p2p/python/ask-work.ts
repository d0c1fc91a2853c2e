/** Our operations of those who do work, asked of a Python node: claim, complete, fail, release; also its tools and its cache. */

import { MeshError } from '../../mesh/errors.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import type { ClaimedTask } from '../../mesh/task.ts';
import { type AskContext, noCounterpart, type Translations } from './ask-context.ts';
import { localOf, unreadable } from './ask-queue.ts';
import { isRecord, type Rpc } from './client-session.ts';
import { taskOfRow } from './foreign-row.ts';
import { pythonLeaseMs } from './lease-ledger.ts';

/** How often a claim that waits asks again, in milliseconds: Python nodes cannot wait for a task. It doubles. */
const firstPauseMs = 250;
const longestPauseMs = 4_000;

export const askWork = {
  /**
   * Null does not mean that nothing is queued: a Python node means each task for one of the workers that it has seen lately, and
   * each gets its share only.
   */
  async claim({ worker_id, supported_task_types, wait_s }, context) {
    const untilMs = context.monotonicMs() + wait_s * 1000;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const sentMs = context.monotonicMs();
      const worker = worker_id || 'taskmesh';
      const asked = { worker_id: worker, supported_task_types, peer_id: worker };
      const giveBack = ({ task }: Rpc): void => {
        if (isRecord(task)) context.askLater('release', { task_id: task.task_id, worker_id: worker, reason: '' });
      };
      const { task } = await context.ask('claim', asked, { dropped: giveBack });
      if (task !== null && task !== undefined) {
        try {
          return { task: await claimed(task, worker, sentMs, context) };
        } catch (thrown) {
          giveBack({ task });
          throw thrown;
        }
      }
      if (context.monotonicMs() + pauseMs >= untilMs) return { task: null };
      await context.pause(pauseMs);
    }
  },

  async complete({ task_id, fence, status, result, error }, context) {
    return settle(task_id, fence, status === 'failed' ? failedFields(error) : { status, result }, context);
  },

  /** Ends the task for good: whether it is tried again is the Python node's to decide. */
  async fail({ task_id, fence, error, delay_s }, context) {
    if (delay_s !== undefined) throw noCounterpart('a delay before the next attempt', 'Leave delay_s out.');
    return settle(task_id, fence, failedFields(error), context);
  },

  async release({ task_id, fence, reason, delay_s }, context) {
    if (delay_s > 0) throw noCounterpart('a delay before the next attempt', 'Leave delay_s out.');
    const worker_id = context.ledger.check(task_id, fence);
    const { ok } = await context.ask('release', { task_id: localOf(task_id), worker_id, reason }, { mayRefuse: true });
    context.ledger.end(task_id);
    if (ok !== true) throw lost();
    return { task_id, status: 'queued' };
  },

  async call_tool({ tool_name, args, timeout_s }, context) {
    const asked = { tool: tool_name, args, timeout_s };
    const { result } = await context.ask('call_tool', asked, { leastMs: timeout_s * 1000 });
    return { tool: tool_name, result: result ?? null };
  },

  async cache_get({ key }, context) {
    const { hit, value } = await context.ask('cache.get', { key });
    return { key, hit: hit === true, value: value ?? null };
  },

  async cache_has({ key }, context) {
    return { key, hit: (await context.ask('cache.has', { key })).hit === true };
  },

  async cache_set({ key, value, ttl_s }, context) {
    await context.ask('cache.set', { key, value, ...(ttl_s > 0 ? { ttl_s } : {}) });
    return { key };
  },

  async cache_delete({ key }, context) {
    return { key, deleted: (await context.ask('cache.delete', { key })).deleted === true };
  },
} satisfies Partial<Translations>;

/** A claim answers less than a row; the rest is looked up, and what the node does not tell stays as `taskOfRow` has it. */
async function claimed(told: unknown, worker: string, sentMs: number, context: AskContext): Promise<ClaimedTask> {
  const task = taskOfRow(told, context.peerId());
  const fence = context.ledger.hold(task.task_id, worker, sentMs);
  const reply: Rpc = await context.ask('get', { task_id: localOf(task.task_id) }).catch(() => ({}));
  const full = isRecord(reply.task) ? { ...taskOfRow(reply.task, context.peerId()), payload: task.payload } : task;
  const leftMs = pythonLeaseMs - (context.monotonicMs() - sentMs);
  return { ...full, status: 'running', fence, lease_s: Math.max(1, leftMs / 1000), attempt_timeout_s: 0 };
}

async function settle(
  task_id: string,
  fence: number,
  fields: Record<string, unknown> & { status: string },
  context: AskContext,
): Promise<OperationOutput<'complete'>> {
  context.ledger.check(task_id, fence);
  const reply = await context.ask('complete', { task_id: localOf(task_id), ...fields }, { mayRefuse: true });
  if (typeof reply.ok !== 'boolean') throw unreadable('complete');
  context.ledger.end(task_id);
  if (!reply.ok) throw lost();
  return { task_id, status: fields.status === 'failed' ? 'failed' : 'completed' };
}

function failedFields(error: string) {
  return { status: 'failed', result: null, error };
}

function lost(): MeshError {
  return new MeshError('stale_fence', 'The Python node did not take it: the task is not there, or not yours any more.');
}
