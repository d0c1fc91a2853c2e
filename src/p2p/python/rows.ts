/** A task as a Python node shows it: a row, with times in epoch seconds as floats, and the id without its owner. */

import { splitTaskId, type Task } from '../../mesh/task.ts';
import { float, floatOrNull } from './json.ts';

export type Row = Record<string, unknown>;

export function rowOf(task: Task): Row {
  return {
    task_id: splitTaskId(task.task_id).local,
    task_type: task.task_type,
    model_name: task.model_name,
    payload: task.payload ?? null,
    status: task.status,
    assigned_worker: task.assigned_worker,
    created_at: float(task.created_at),
    updated_at: float(task.updated_at),
    result: task.result ?? null,
    error: task.error,
    priority: task.priority,
    attempt: task.attempt,
    max_attempts: task.max_attempts,
    next_attempt_at: floatOrNull(task.next_attempt_at),
    lease_until: floatOrNull(task.lease_until),
    heartbeat_at: floatOrNull(task.heartbeat_at),
    idempotency_key: task.idempotency_key,
  };
}

/** What a claim answers: less than a row. */
export function claimedRowOf(task: Task, toldId: string): Row {
  return {
    task_id: toldId,
    task_type: task.task_type,
    model_name: task.model_name,
    payload: task.payload ?? null,
    created_at: float(task.created_at),
    status: 'running',
    assigned_worker: task.assigned_worker,
  };
}
