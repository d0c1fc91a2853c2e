/**
 * The worker: claims tasks of some types and does them, until it is stopped. Called by `taskmesh work` and by programs
 * that use the library.
 *
 * One claim is in flight at a time, and only while fewer than `concurrency` tasks run:
 * ```
 * claiming ── a task ──▶ its attempt starts; claiming goes on when there is room
 *    │  ├── none within a minute ──▶ claiming
 *    │  └── retryable error ──▶ backing off ──▶ claiming
 *    ├── another error ──▶ stopping; `done` rejects with it
 *    └── stop ──▶ stopping: no new claims; running tasks may end within the grace, then their signal is aborted and they
 *                 are released ──▶ done
 * ```
 * The claim waits at the node and is woken by it: nothing is polled.
 */

import { type CancelTimer, type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ClaimRefusal } from '../mesh/operations/queue-work.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import { type AttemptEnd, attempt } from './attempt.ts';
import { backoffMs, pause } from './backoff.ts';
import type { TaskRunner } from './task-runner.ts';

export { TaskFailure, type TaskRunner, type WorkContext } from './task-runner.ts';

/** How long one claim waits for a task, in milliseconds. */
const claimWaitMs = 60_000;

export interface WorkOptions {
  /** Types of tasks to claim; at least one. */
  types: readonly string[];
  run: TaskRunner;
  /** Tasks at the same time. Default 1. */
  concurrency?: number;
  /** How long the worker may be silent before its task is given to another, in milliseconds: 1 s to 1 h. Default 30 s. */
  leaseMs?: number;
  /** What the worker calls itself, for people who look at its tasks. */
  workerId?: string;
  /** Stops the worker, as `stop` does. */
  signal?: AbortSignal;
  /** How long running tasks may go on after a stop, in milliseconds. Default 10 s. */
  graceMs?: number;
  /** Hears what happens; must not throw. */
  onEvent?: (event: WorkEvent) => void;
  clock?: Clock;
  /** Answers a number from 0 up to 1. */
  random?: () => number;
}

export type WorkEvent =
  | { type: 'claimed'; task: ClaimedTask }
  | ({ type: 'ended'; task: ClaimedTask; durationMs: number } & AttemptEnd)
  | { type: 'claim_failed'; error: MeshError; retryInMs: number }
  /** Peers do not let this node claim some of the types; told when it changes. */
  | { type: 'claim_refused'; refusals: readonly ClaimRefusal[] }
  /** Told once; `running` tasks may end within the grace. */
  | { type: 'stopping'; running: number; graceMs: number };

export interface Worker extends AsyncDisposable {
  /** Resolves when the worker has stopped and no task runs; rejects with the `MeshError` that made it stop. */
  readonly done: Promise<void>;
  /** Stops claiming, lets running tasks end within the grace, and releases the rest. The last call's grace counts. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts a worker. Throws `invalid_params` for options that cannot be. */
export function work(mesh: Mesh, options: WorkOptions): Worker {
  const { types, run, concurrency = 1, leaseMs = 30_000, graceMs = 10_000, signal, onEvent } = options;
  const { clock = systemClock, random = Math.random } = options;
  if (types.length === 0 || !Number.isInteger(concurrency) || concurrency < 1) {
    throw new MeshError('invalid_params', 'A worker needs at least one type, and a concurrency of at least 1.');
  }
  const worker_id = options.workerId ?? `worker-${random().toString(36).slice(2, 10)}`;
  const claimInput = {
    worker_id,
    supported_task_types: [...types],
    lease_s: leaseMs / 1000,
    wait_s: claimWaitMs / 1000,
  };
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const context = { mesh, run, clock, random, stopping: stopping.signal, shutdown: shutdown.signal };
  const running = new Set<Promise<void>>();
  /** Wakes the loop when a task ends or the worker stops. */
  let onRoom: () => void = () => {};
  let cancelGrace: CancelTimer = () => {};
  let refusalsTold = '';

  const start = (task: ClaimedTask): void => {
    const startMs = clock.monotonicMs();
    onEvent?.({ type: 'claimed', task });
    const attempted = attempt(task, context).then((end) => {
      running.delete(attempted);
      onRoom();
      onEvent?.({ type: 'ended', task, durationMs: clock.monotonicMs() - startMs, ...end });
    });
    running.add(attempted);
  };

  /** A lease that arrives after the stop; should this fail, it runs out by itself. */
  const giveBack = async ({ task_id, fence }: ClaimedTask): Promise<void> => {
    await mesh.call('release', { task_id, fence, reason: 'the worker shut down' });
  };

  const room = async (): Promise<void> => {
    if (running.size < concurrency) return;
    await new Promise<void>((resolve) => {
      onRoom = resolve;
    });
  };

  const hearRefusals = (refusals: readonly ClaimRefusal[]): void => {
    const said = JSON.stringify(refusals);
    if (refusals.length > 0 && said !== refusalsTold) onEvent?.({ type: 'claim_refused', refusals });
    refusalsTold = said;
  };

  /** Claims once. Answers how long to wait before the next claim. Throws errors that are not retryable. */
  const claimOnce = async (failures: number): Promise<number> => {
    const startMs = clock.monotonicMs();
    try {
      const { task, refused = [] } = await mesh.call('claim', claimInput, { signal: stopping.signal });
      if (task === null) hearRefusals(refused);
      if (task !== null && stopping.signal.aborted) await giveBack(task);
      else if (task !== null) start(task);
      // A node that says "nothing" without having waited is about to stop.
      return task === null && clock.monotonicMs() - startMs < claimWaitMs / 2 ? backoffMs(failures, random) : 0;
    } catch (thrown) {
      const error = toMeshError(thrown);
      if (stopping.signal.aborted) return 0;
      if (!error.retryable) throw error;
      const retryInMs = backoffMs(failures, random);
      onEvent?.({ type: 'claim_failed', error, retryInMs });
      return retryInMs;
    }
  };

  const loop = async (): Promise<void> => {
    let failures = 0;
    try {
      while (!stopping.signal.aborted) {
        await room();
        if (stopping.signal.aborted) break;
        const waitMs = await claimOnce(failures);
        failures = waitMs > 0 ? failures + 1 : 0;
        if (waitMs > 0) await pause(clock, waitMs, stopping.signal);
      }
    } finally {
      await drain();
    }
  };

  const drain = async (): Promise<void> => {
    stopping.abort();
    await Promise.all(running);
    signal?.removeEventListener('abort', onSignal);
    cancelGrace();
  };

  const stop = (withinMs: number = graceMs): Promise<void> => {
    cancelGrace();
    if (!stopping.signal.aborted) onEvent?.({ type: 'stopping', running: running.size, graceMs: withinMs });
    stopping.abort();
    onRoom();
    if (withinMs > 0) cancelGrace = clock.setTimer(withinMs, () => shutdown.abort());
    else shutdown.abort();
    return done;
  };
  const onSignal = (): void => {
    // What makes the worker fail is told by `done`.
    stop().catch(() => {});
  };
  signal?.addEventListener('abort', onSignal);

  const done = loop();
  if (signal?.aborted) onSignal();
  return { done, stop, [Symbol.asyncDispose]: () => stop() };
}
