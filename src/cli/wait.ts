/**
 * Waits for a task and shows its progress meanwhile. Called by `wait` and by `submit --wait`.
 *
 * The waiting outlives the node that is asked and the task's owner: while one of them is away it is tried again, and said so,
 * until the task is finished, `--timeout-s` is over, or Ctrl-C.
 */

import { toMeshError } from '../mesh/errors.ts';
import type { TaskProgress } from '../mesh/mesh.ts';
import type { OperationOutput } from '../mesh/operations.ts';
import { backoffMs, pause } from '../work/backoff.ts';
import type { CommandCall, Outcome } from './command.ts';
import { keepAlive } from './keep-alive.ts';
import { progressLine } from './progress-line.ts';
import { printable } from './style.ts';
import { taskBlock } from './task-view.ts';

/** One waiting call, in milliseconds; it is repeated. */
const longestChunkMs = 60_000;
/** Somebody sits and waits: longer pauses between two tries would be felt. In milliseconds. */
const longestPauseMs = 5_000;
/** How much later than it was asked to a node may answer before it counts as away, in milliseconds. */
const lateMs = 5_000;

/** Exit code 0 only for a completed task. */
export async function waitFor(call: CommandCall, input: Record<string, unknown>): Promise<Outcome> {
  const output = await waited(call, input);
  const { task, done } = output;
  const hint = done ? {} : { hint: `The task is not finished yet: "taskmesh wait ${task.task_id}" goes on waiting.` };
  return {
    answer: { ok: true, ...output },
    text: taskBlock(task, call.style, call.clock.nowMs() / 1000),
    exitCode: task.status === 'completed' ? 0 : 1,
    ...hint,
  };
}

async function waited(call: CommandCall, input: Record<string, unknown>): Promise<OperationOutput<'wait'>> {
  const { clock, signal } = call;
  const mesh = await call.mesh();
  const line = progressLine(call.context.stderr);
  using _ = keepAlive();
  const forMs = typeof input.timeout_s === 'number' ? input.timeout_s * 1000 : Number.POSITIVE_INFINITY;
  const startMs = clock.monotonicMs();
  // A time below zero is left to the mesh to refuse.
  const leftMs = (): number => Math.max(Math.min(0, forMs), startMs + forMs - clock.monotonicMs());
  const onProgress = (progress: TaskProgress): void => line.show(progress);
  try {
    for (let failures = 0; ; failures++) {
      const last = leftMs() <= longestChunkMs;
      const chunkMs = last ? leftMs() : longestChunkMs;
      const pauseMs = Math.min(longestPauseMs, backoffMs(failures, Math.random));
      const halfwayMs = clock.monotonicMs() + chunkMs / 2;
      try {
        const timed = { ...input, timeout_s: chunkMs / 1000 } as unknown as { task_id: string };
        const output = await mesh.call('wait', timed, {
          signal,
          onProgress,
          ...(last ? { deadlineMs: chunkMs + lateMs } : {}),
        });
        if (output.done || last) return output;
        // A node that says "not yet" without having waited is about to stop.
        if (clock.monotonicMs() > halfwayMs) failures = -1;
      } catch (thrown) {
        const error = toMeshError(thrown);
        if (!error.retryable || signal.aborted || pauseMs >= leftMs()) throw error;
        line.say(`waiting for it to come back: ${printable(error.message)} (${error.code})`);
      }
      if (failures >= 0) await pause(clock, pauseMs, signal);
    }
  } finally {
    line.close();
  }
}
