/** A task, and what is said about waiting for one, for people. */

import { isFinal, type Task } from '../mesh/task.ts';
import { printable, type Style } from './style.ts';
import { block, duration, table, valueText } from './table.ts';

/** A clear block: what became of the task, who did it, how long it took, and the result. */
export function taskBlock(task: Task, style: Style, nowS: number): string {
  const attempts = task.max_attempts === 0 ? '' : ` of ${task.max_attempts}`;
  return block([
    ['task', task.task_id],
    ['type', printable(task.task_type)],
    ['model', printable(task.model_name)],
    ['status', `${style.status(task.status)}${task.attempt === 0 ? '' : ` (attempt ${task.attempt}${attempts})`}`],
    ['worker', workerOf(task)],
    ['took', tookText(task)],
    ['next attempt', nextAttempt(task, nowS)],
    ['progress', isFinal(task.status) ? undefined : (valueText(task.progress ?? undefined) ?? undefined)],
    ['error', task.error === null ? undefined : printable(task.error)],
    ['result', task.status === 'completed' ? valueText(task.result) : undefined],
  ]);
}

export function taskTable(tasks: readonly Task[], style: Style, nowS: number): string {
  return table(
    ['STATUS', 'TYPE', 'AGE', 'ATTEMPT', 'WORKER', 'TASK'],
    tasks.map((task) => [
      statusText(task, style, nowS),
      printable(task.task_type),
      duration(Math.max(0, nowS - task.created_at)),
      task.max_attempts === 0 ? `${task.attempt}` : `${task.attempt}/${task.max_attempts}`,
      printable(task.assigned_worker ?? '-'),
      task.task_id,
    ]),
  );
}

function statusText(task: Task, style: Style, nowS: number): string {
  const next = nextAttempt(task, nowS);
  return next === undefined ? style.status(task.status) : `${style.status(task.status)}, next attempt ${next}`;
}

function workerOf({ assigned_worker, assigned_peer }: Task): string | undefined {
  if (assigned_worker === null && assigned_peer === null) return undefined;
  return printable([assigned_worker, assigned_peer && `on ${assigned_peer}`].filter(Boolean).join(' '));
}

function tookText({ created_at, started_at, finished_at }: Task): string | undefined {
  if (started_at === null || finished_at === null) return undefined;
  const worked = duration(Math.max(0, finished_at - started_at));
  return `${worked}, after ${duration(Math.max(0, started_at - created_at))} in the queue`;
}

/** Undefined: it is not waiting for one. */
function nextAttempt({ status, next_attempt_at }: Task, nowS: number): string | undefined {
  if (status !== 'queued' || next_attempt_at === null || next_attempt_at <= nowS) return undefined;
  return `in ${duration(next_attempt_at - nowS)}`;
}
