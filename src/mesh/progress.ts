/**
 * How far a task is, as MCP's `notifications/progress` says it: a number that only grows, a line for people, and the whole of it
 * under `progressMetaKey`. The server sends it to its clients, and a node to its peers.
 */

import { progressMetaKey, type TaskProgress } from './mesh.ts';

/** Characters of the worker's note in the line for people; the whole note is under `progressMetaKey`. */
const maxNoteChars = 200;

/** Amounts beyond this are not told apart from their neighbours, so that a growing number could not be made of them. */
const maxAmount = 1e12;

/** The step to the next number when the worker reported none that is higher. */
const leastStep = 0.001;

/** How far a call of a tool is. */
interface ToolAmount {
  done: number;
  of?: number | undefined;
  message?: string | undefined;
}

/** The progress of a tool that is called, not of a task: it has no task id, and its note is `{done, of?, message?}`. */
export function toolProgress({ done, of, message }: ToolAmount): TaskProgress {
  const note = { done, ...(of === undefined ? {} : { of }), ...(message === undefined ? {} : { message }) };
  return { task_id: '', status: 'running', attempt: 1, progress: note };
}

/** The parameters of a `notifications/progress`, but for the token, which is the carrier's. */
export interface ProgressParams extends Record<string, unknown> {
  progress: number;
  total?: number;
  message: string;
  _meta: { [progressMetaKey]: TaskProgress };
}

/** For the notifications of one call: `progress` only grows, as the protocol demands, whatever the worker reports. */
export function progressNotifier(): (progress: TaskProgress) => ProgressParams {
  let last = 0;
  return (progress) => {
    const { done, total } = amountOf(progress.progress);
    last = done !== undefined && done > last && done < maxAmount ? done : last + leastStep;
    return {
      progress: last,
      ...(total === undefined || total < last ? {} : { total }),
      message: describe(progress),
      _meta: { [progressMetaKey]: progress },
    };
  };
}

/** What a notification of such parameters stands for; undefined when it carries none of ours. */
export function progressOf(params: { _meta?: Record<string, unknown> }): TaskProgress | undefined {
  const progress = params._meta?.[progressMetaKey];
  return typeof progress === 'object' && progress !== null ? (progress as TaskProgress) : undefined;
}

/** The same for a notification of any MCP server: one that carries none of ours is of a tool. */
export function anyProgressOf(params: Record<string, unknown> & { _meta?: Record<string, unknown> }): TaskProgress {
  const { progress, total, message } = params;
  return (
    progressOf(params) ??
    toolProgress({
      done: typeof progress === 'number' ? progress : 0,
      ...(typeof total === 'number' ? { of: total } : {}),
      ...(typeof message === 'string' ? { message } : {}),
    })
  );
}

/** The amounts in what a worker reported: a number, or `{done, of}`. */
function amountOf(note: unknown): { done?: number; total?: number } {
  if (typeof note === 'number') return { done: note };
  if (typeof note !== 'object' || note === null) return {};
  const { done, of } = note as { done?: unknown; of?: unknown };
  return { ...(typeof done === 'number' ? { done } : {}), ...(typeof of === 'number' ? { total: of } : {}) };
}

function describe({ task_id, status, attempt, progress }: TaskProgress): string {
  if (task_id === '') return String((progress as ToolAmount | null)?.message ?? status).slice(0, maxNoteChars);
  const head = attempt > 1 ? `${status}, attempt ${attempt}` : status;
  if (progress === null || progress === undefined) return head;
  const note = typeof progress === 'string' ? progress : JSON.stringify(progress);
  return `${head}: ${note.length > maxNoteChars ? `${note.slice(0, maxNoteChars)}…` : note}`;
}
