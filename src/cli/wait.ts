/** Waits for a task and shows its progress meanwhile. Called by `wait` and by `submit --wait`. */

import type { TaskProgress } from '../mesh/mesh.ts';
import type { OperationOutput } from '../mesh/operations.ts';
import type { CommandCall, Outcome } from './command.ts';
import { progressLine } from './progress-line.ts';
import { taskBlock } from './task-view.ts';

/** One waiting call, in seconds; without `--timeout-s` it is repeated until the task is finished. */
const chunkSeconds = 60;

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
  const mesh = await call.mesh();
  const line = progressLine(call.context.stderr);
  const onProgress = (progress: TaskProgress): void => line.show(progress);
  const forever = input.timeout_s === undefined;
  try {
    for (;;) {
      const timed = forever ? { ...input, timeout_s: chunkSeconds } : input;
      const output = await mesh.call('wait', timed as { task_id: string }, { signal: call.signal, onProgress });
      if (output.done || !forever) return output;
    }
  } finally {
    line.close();
  }
}
