/**
 * Claiming from a Python node. It means each task for one of the workers that it has seen in the last 300 s, whatever types they can
 * do, and answers null to all others: null does not say that nothing is queued, and whoever asks takes a share from those who asked
 * before, until 300 s after the last time. Therefore:
 *
 * - This node is one worker there, by its peer id, whichever of its callers claims: each further name would keep a share of its own
 *   long after it has gone. Only a claim that names the Python node goes there in its worker's name.
 * - A claim that names no node looks first whether something of its types is queued. Looking leaves no trace there.
 */

import { MeshError } from '../../mesh/errors.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import type { ClaimedTask } from '../../mesh/task.ts';
import type { AskContext } from './ask-context.ts';
import { localOf } from './ask-queue.ts';
import { isRecord, type Rpc } from './client-session.ts';
import { taskOfRow } from './foreign-row.ts';
import { expandTaskTypes } from './task-types.ts';

/** How often a claim that waits asks again, in milliseconds: Python nodes cannot wait for a task. It doubles. */
const firstPauseMs = 250;
const longestPauseMs = 4_000;

type ClaimInput = CheckedInput<'claim'>;

export async function claim(input: ClaimInput, context: AskContext): Promise<OperationOutput<'claim'>> {
  const isNamed = input.remote_peer_id !== '' || input.remote_multiaddr !== '';
  const worker = isNamed && input.worker_id !== '' ? input.worker_id : context.ownPeerId;
  const untilMs = context.monotonicMs() + input.wait_s * 1000;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const isLast = (): boolean => context.monotonicMs() + pauseMs >= untilMs;
    try {
      const task = isNamed || (await isQueued(input, context)) ? await claimOnce(worker, input, context) : null;
      if (task !== null) return { task };
    } catch (thrown) {
      // Nobody named this node: while others are waited for too, it may be away for a while.
      if (isNamed || isLast() || !mayComeBack(thrown)) throw thrown;
    }
    if (isLast()) return { task: null };
    await context.pause(pauseMs);
  }
}

async function isQueued({ supported_task_types: types }: ClaimInput, context: AskContext): Promise<boolean> {
  const filter = types.length === 0 ? {} : { task_types: expandTaskTypes(types) };
  try {
    const { tasks } = await context.ask('list', { status: 'queued', limit: 1, ...filter });
    return !Array.isArray(tasks) || tasks.length > 0;
  } catch (thrown) {
    if (!(thrown instanceof MeshError) || thrown.retryable) throw thrown;
    // Whoever may not look may still be given work.
    return true;
  }
}

async function claimOnce(worker: string, input: ClaimInput, context: AskContext): Promise<ClaimedTask | null> {
  const sentMs = context.monotonicMs();
  const asked = { worker_id: worker, supported_task_types: input.supported_task_types, peer_id: worker };
  const giveBack = ({ task }: Rpc): void => {
    if (isRecord(task)) context.askLater('release', { task_id: task.task_id, worker_id: worker, reason: '' });
  };
  const { task } = await context.ask('claim', asked, { dropped: giveBack });
  if (task === null || task === undefined) return null;
  try {
    return await claimed(task, worker, sentMs, context);
  } catch (thrown) {
    giveBack({ task });
    throw thrown;
  }
}

/** A claim answers less than a row; the rest is looked up, and what the node does not tell stays as `taskOfRow` has it. */
async function claimed(told: unknown, worker: string, sentMs: number, context: AskContext): Promise<ClaimedTask> {
  const task = taskOfRow(told, context.peerId());
  const { fence, leaseMs } = await context.ledger.hold(task.task_id, worker, sentMs);
  const reply: Rpc = await context.ask('get', { task_id: localOf(task.task_id) }).catch(() => ({}));
  const full = isRecord(reply.task) ? { ...taskOfRow(reply.task, context.peerId()), payload: task.payload } : task;
  const leftMs = leaseMs - (context.monotonicMs() - sentMs);
  return { ...full, status: 'running', fence, lease_s: Math.max(1, leftMs / 1000), attempt_timeout_s: 0 };
}

function mayComeBack(thrown: unknown): boolean {
  return thrown instanceof MeshError && thrown.retryable && thrown.code !== 'cancelled';
}
