/** Our operations of those who do work, asked of a Python node: claim, heartbeat, complete, fail, release; also its tools and its cache. */

import { MeshError } from '../../mesh/errors.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import { claim } from './ask-claim.ts';
import { type AskContext, noCounterpart, type Translations } from './ask-context.ts';
import { localOf, taskAt, unreadable } from './ask-queue.ts';

export const askWork = {
  claim,

  /** Renews nothing, because nothing there can: tells how long the lease still is, and whether the task is still this worker's. */
  async heartbeat({ task_id, fence, lease_s, progress }, context) {
    const { worker, leftMs } = await context.ledger.check(task_id, fence);
    if (lease_s !== undefined) throw noCounterpart('another length for a lease', 'Leave lease_s out.');
    if (progress !== undefined) throw noCounterpart('progress', 'Leave progress out.');
    const task = await taskAt(task_id, await context.ask('get', { task_id: localOf(task_id) }), context);
    if (task.status !== 'running' || (task.assigned_worker || worker) !== worker) {
      await context.ledger.end(task_id);
      throw task.status === 'cancelled'
        ? new MeshError('task_cancelled', 'The task was cancelled at the Python node. Stop working on it.')
        : lost();
    }
    return { task_id, lease_until: (context.nowMs() + leftMs) / 1000, lease_s: leftMs / 1000 };
  },

  async complete({ task_id, fence, status, result, error }, context) {
    return settle(task_id, fence, status === 'failed' ? failedFields(error) : { status, result }, context);
  },

  /** Ends the task for good, so that no delay means anything: whether it is tried again is the Python node's to decide. */
  async fail({ task_id, fence, error }, context) {
    return settle(task_id, fence, failedFields(error), context);
  },

  async release({ task_id, fence, reason, delay_s }, context) {
    if (delay_s > 0) throw noCounterpart('a delay before the next attempt', 'Leave delay_s out.');
    const { worker: worker_id } = await context.ledger.check(task_id, fence);
    const { ok } = await context.ask('release', { task_id: localOf(task_id), worker_id, reason }, { mayRefuse: true });
    await context.ledger.end(task_id);
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

async function settle(
  task_id: string,
  fence: number,
  fields: Record<string, unknown> & { status: string },
  context: AskContext,
): Promise<OperationOutput<'complete'>> {
  await context.ledger.check(task_id, fence);
  const reply = await context.ask('complete', { task_id: localOf(task_id), ...fields }, { mayRefuse: true });
  if (typeof reply.ok !== 'boolean') throw unreadable('complete');
  await context.ledger.end(task_id);
  if (!reply.ok) throw lost();
  return { task_id, status: fields.status === 'failed' ? 'failed' : 'completed' };
}

function failedFields(error: string) {
  return { status: 'failed', result: null, error };
}

function lost(): MeshError {
  return new MeshError('stale_fence', 'The Python node did not take it: the task is not there, or not yours any more.');
}
