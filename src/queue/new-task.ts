/** Makes of a submission the row that the store keeps. Called by the engine. */

import type { CheckedInput } from '../mesh/operations.ts';
import type { NewTask } from './store.ts';
import { jsonText, plainText } from './stored-text.ts';
import { workHash } from './work-hash.ts';

/** What a submission says about its work, without whom it is submitted to. */
export type Work = CheckedInput<'submit_many'>['tasks'][number];

export function newTask(work: Work, id: string, nowMs: number, submittedBy: string): NewTask {
  const payload = jsonText(work.payload);
  const notBeforeMs = startMs(work, nowMs);
  const waits = notBeforeMs > nowMs;
  const key = work.idempotency_key;
  return {
    payload,
    row: {
      id,
      taskType: plainText(work.task_type),
      modelName: plainText(work.model_name),
      priority: work.priority,
      maxAttempts: work.max_attempts,
      backoffMs: Math.round(work.backoff_s * 1000),
      attemptTimeoutMs: Math.round(work.attempt_timeout_s * 1000),
      resultTtlMs: Math.round(work.result_ttl_s * 1000),
      idempotencyKey: key === undefined ? null : plainText(key),
      workHash: key === undefined ? null : workHash(work),
      createdAtMs: nowMs,
      status: 'queued',
      ready: waits ? 0 : 1,
      attempt: 0,
      fence: 0,
      leaseMs: 0,
      leaseEnd: null,
      updatedAtMs: nowMs,
      nextAttemptAtMs: waits ? notBeforeMs : null,
      startedAtMs: null,
      finishedAtMs: null,
      expiresAtMs: null,
      leaseUntilMs: null,
      heartbeatAtMs: null,
      assignedWorker: null,
      assignedPeer: null,
      progress: null,
      error: null,
      storedBytes: Buffer.byteLength(payload),
      submittedBy,
    },
  };
}

function startMs(work: Work, nowMs: number): number {
  if (work.delay_s !== undefined) return nowMs + Math.ceil(work.delay_s * 1000);
  return Math.ceil((work.next_attempt_at ?? 0) * 1000);
}
