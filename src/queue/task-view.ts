/** Makes of a stored row what every face shows: snake_case, epoch seconds, parsed JSON. Called by the engine. */

import type { ClaimedTask, Task } from '../mesh/task.ts';
import type { StoredTask } from './task-row.ts';

/** A task with the payload and the result that the store handed over with it. */
export function taskView(stored: StoredTask): Task {
  const { row, payload, result } = stored;
  const held = row.status !== 'queued';
  const view: Task = {
    task_id: row.id,
    task_type: row.taskType,
    model_name: row.modelName,
    status: row.status,
    priority: row.priority,
    attempt: row.attempt,
    max_attempts: row.maxAttempts,
    created_at: row.createdAtMs / 1000,
    updated_at: row.updatedAtMs / 1000,
    next_attempt_at: toSeconds(row.nextAttemptAtMs),
    started_at: toSeconds(row.startedAtMs),
    finished_at: toSeconds(row.finishedAtMs),
    expires_at: toSeconds(row.expiresAtMs),
    lease_until: toSeconds(row.leaseUntilMs),
    heartbeat_at: toSeconds(row.heartbeatAtMs),
    assigned_worker: held ? row.assignedWorker : null,
    assigned_peer: held ? row.assignedPeer : null,
    progress: row.progress === null ? null : JSON.parse(row.progress),
    error: row.error,
    submitted_by: row.submittedBy,
    idempotency_key: row.idempotencyKey,
  };
  if (payload !== undefined) view.payload = JSON.parse(payload);
  if (result !== undefined) view.result = result === null ? null : JSON.parse(result);
  return view;
}

/** A task with the lease that its claimer now holds. */
export function claimedTaskView(stored: StoredTask): ClaimedTask {
  return {
    ...taskView(stored),
    fence: stored.row.fence,
    lease_s: stored.row.leaseMs / 1000,
    attempt_timeout_s: stored.row.attemptTimeoutMs / 1000,
  };
}

function toSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
