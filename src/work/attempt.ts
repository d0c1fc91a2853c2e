/**
 * One attempt at one task: runs it under its lease and settles it. Called by `work`, once per claimed task.
 *
 * ```
 * running ── returned ──────────────▶ complete ─▶ completed
 *    │                                   └ the result cannot be taken ─▶ fail, no retry
 *    ├─ threw ──────────────────────▶ fail     ─▶ failed
 *    ├─ threw after the shutdown began,
 *    │  or ignored it for 5 s ──────▶ release  ─▶ released
 *    └─ the lease was lost ─────────▶ nothing to settle: cancelled, or lost
 * ```
 * Settling is tried again while the node cannot be reached; its fence makes a late one harmless. The lease is kept until
 * the settling is over. A worker that stops does not wait long for a node that is known to be gone.
 */

import type { Clock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ClaimedTask, TaskStatus } from '../mesh/task.ts';
import { backoffMs, pause } from './backoff.ts';
import { holdLease, isLeaseLost } from './lease.ts';
import { TaskFailure, type TaskRunner } from './task-runner.ts';

/** A runner that ignores the shutdown is left behind after this, in milliseconds. */
const abandonMs = 5_000;
/** How long settling is tried, in milliseconds: a node that restarts is back by then; less once the worker shuts down. */
const settleForMs = 120_000;
const settleInShutdownMs = 5_000;

/** How often a worker that stops finds that the node is gone before it gives up. */
const goneTries = 3;

const maxErrorLength = 8_000;

const never = new AbortController().signal;

interface AttemptContext {
  readonly mesh: Mesh;
  readonly run: TaskRunner;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborted when the worker stops: running tasks may still end. */
  readonly stopping: AbortSignal;
  /** Aborted when running tasks have to end now. */
  readonly shutdown: AbortSignal;
}

export interface AttemptEnd {
  readonly outcome: 'completed' | 'failed' | 'released' | 'cancelled' | 'lost';
  /** The task's status afterwards, where the owner said so: a failed attempt leaves it `queued` or `failed`. */
  readonly status?: TaskStatus;
  readonly error?: string;
}

/** How the runner ended; `left` when it did not. */
type RunEnd = { how: 'returned'; result: unknown } | { how: 'threw'; thrown: unknown } | { how: 'left' };

/** Never rejects. */
export async function attempt(task: ClaimedTask, context: AttemptContext): Promise<AttemptEnd> {
  const { mesh, clock, shutdown } = context;
  const unwanted = new AbortController();
  let lost: MeshError | undefined;
  const lease = holdLease(mesh, task, clock, (error) => {
    lost = error;
    unwanted.abort(error);
  });
  const onShutdown = (): void => unwanted.abort(new MeshError('cancelled', 'The worker is shutting down.'));
  shutdown.addEventListener('abort', onShutdown);
  if (shutdown.aborted) onShutdown();
  try {
    const runContext = { signal: unwanted.signal, progress: (note: unknown) => lease.progress(note) };
    const end = await ended(task, runContext, context);
    return lost === undefined ? await settle(task, end, context) : lostEnd(lost);
  } catch (thrown) {
    return lostEnd(toMeshError(thrown));
  } finally {
    shutdown.removeEventListener('abort', onShutdown);
    lease.close();
  }
}

async function ended(
  task: ClaimedTask,
  runContext: Parameters<TaskRunner>[1],
  { run, clock, shutdown }: AttemptContext,
): Promise<RunEnd> {
  const running = (async (): Promise<RunEnd> => {
    try {
      return { how: 'returned', result: await run(task, runContext) };
    } catch (thrown) {
      return { how: 'threw', thrown };
    }
  })();
  const over = new AbortController();
  const left = (async (): Promise<RunEnd> => {
    await aborted(AbortSignal.any([shutdown, over.signal]));
    if (!over.signal.aborted) await pause(clock, abandonMs, over.signal);
    return { how: 'left' };
  })();
  try {
    return await Promise.race([running, left]);
  } finally {
    over.abort();
  }
}

async function settle(task: ClaimedTask, end: RunEnd, context: AttemptContext): Promise<AttemptEnd> {
  const { mesh, shutdown } = context;
  const lease = { task_id: task.task_id, fence: task.fence };
  if (end.how === 'returned') {
    try {
      const result = end.result === undefined ? null : end.result;
      await persist(context, (deadlineMs) => mesh.call('complete', { ...lease, result }, { deadlineMs }));
      return { outcome: 'completed', status: 'completed' };
    } catch (thrown) {
      const refusal = toMeshError(thrown);
      if (refusal.retryable || isLeaseLost(refusal)) throw refusal;
      return settle(task, { how: 'threw', thrown: new TaskFailure(refusal.message, { retry: false }) }, context);
    }
  }
  const message = (end.how === 'threw' ? messageOf(end.thrown) : 'The worker did not stop in time.').slice(
    0,
    maxErrorLength,
  );
  if (end.how === 'left' || (shutdown.aborted && !(end.thrown instanceof TaskFailure))) {
    const input = { ...lease, reason: 'the worker shut down' };
    const { status } = await persist(context, (deadlineMs) => mesh.call('release', input, { deadlineMs }));
    return { outcome: 'released', status };
  }
  const failure = end.thrown instanceof TaskFailure ? end.thrown : new TaskFailure(message);
  const delay = failure.delayMs === undefined ? {} : { delay_s: failure.delayMs / 1000 };
  const input = { ...lease, error: message, retry: failure.retry, ...delay };
  const { status } = await persist(context, (deadlineMs) => mesh.call('fail', input, { deadlineMs }));
  return { outcome: 'failed', status, error: message };
}

/** Repeats a call that may be repeated, until it gets through, is refused, or the time is over. */
async function persist<Output>(
  { clock, random, stopping, shutdown }: AttemptContext,
  call: (deadlineMs: number) => Promise<Output>,
): Promise<Output> {
  const startMs = clock.monotonicMs();
  let failures = 0;
  let gone = 0;
  let hurried = false;
  for (;;) {
    // Whoever has to be quick begins with the short pauses again.
    if (stopping.aborted && !hurried) failures = 0;
    hurried = stopping.aborted;
    try {
      return await call(shutdown.aborted ? settleInShutdownMs : 30_000);
    } catch (thrown) {
      const error = toMeshError(thrown);
      if (hurried && error.code === 'mesh_down') gone++;
      const waitMs = backoffMs(failures++, random);
      const forMs = shutdown.aborted ? settleInShutdownMs : settleForMs;
      if (!error.retryable || gone >= goneTries || clock.monotonicMs() + waitMs - startMs > forMs) throw error;
      await pause(clock, waitMs, nextOf(stopping, shutdown));
    }
  }
}

/** What ends a pause: the first of the signals that has not come yet. */
function nextOf(...signals: readonly AbortSignal[]): AbortSignal {
  return signals.find((signal) => !signal.aborted) ?? never;
}

function lostEnd(error: MeshError): AttemptEnd {
  return { outcome: error.code === 'task_cancelled' ? 'cancelled' : 'lost', error: error.message };
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
