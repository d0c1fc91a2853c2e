/** A Python node's row as a task of ours. What the row does not have stays empty; nothing is made up. */

import { z } from 'zod';
import { MeshError } from '../../mesh/errors.ts';
import { isFinal, joinTaskId, type Task, taskStatus } from '../../mesh/task.ts';

const text = z.string().nullish();
const time = z.number().nullish();
const count = z.number().int().nullish();

export const foreignId = z.string().regex(/^[0-9a-f]{32}$/i);

const row = z.object({
  task_id: foreignId,
  task_type: z.string(),
  model_name: text,
  payload: z.unknown().optional(),
  status: taskStatus,
  assigned_worker: text,
  created_at: time,
  updated_at: time,
  result: z.unknown().optional(),
  error: z.unknown().optional(),
  priority: count,
  attempt: count,
  max_attempts: count,
  next_attempt_at: time,
  lease_until: time,
  heartbeat_at: time,
  idempotency_key: text,
});

/** Throws `peer_protocol_error` for what is no row. */
export function taskOfRow(value: unknown, peerId: string): Task {
  const parsed = row.safeParse(value);
  if (!parsed.success) {
    const what = z.prettifyError(parsed.error).split('\n')[0];
    throw new MeshError('peer_protocol_error', `The Python node answered a task that cannot be read: ${what}`);
  }
  const { data } = parsed;
  const created = data.created_at ?? 0;
  const updated = data.updated_at ?? created;
  const { error } = data;
  return {
    task_id: joinTaskId(data.task_id.toLowerCase(), peerId),
    task_type: data.task_type,
    model_name: data.model_name ?? '',
    status: data.status,
    priority: data.priority ?? 5,
    attempt: data.attempt ?? 0,
    max_attempts: data.max_attempts ?? 0,
    created_at: created,
    updated_at: updated,
    next_attempt_at: data.next_attempt_at ?? null,
    started_at: null,
    finished_at: isFinal(data.status) ? updated : null,
    expires_at: null,
    lease_until: data.lease_until ?? null,
    heartbeat_at: data.heartbeat_at ?? null,
    assigned_worker: data.assigned_worker ?? null,
    assigned_peer: null,
    progress: null,
    error: error === undefined || error === null ? null : typeof error === 'string' ? error : JSON.stringify(error),
    idempotency_key: data.idempotency_key ?? null,
    payload: data.payload ?? null,
    result: data.result ?? null,
  };
}
