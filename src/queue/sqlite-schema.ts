/** The tables of the queue's file, and how older files become newer ones. Called by `sqlite-open.ts`. */

import type { TaskRow } from './task-row.ts';

/**
 * Migration number n brings a file from version n to n + 1 (`PRAGMA user_version`). Written ones are never changed.
 *
 * Payloads and results have tables of their own, so that claims, counts and lists do not read past them. Columns that change
 * in a heartbeat are in no index.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    task_type TEXT NOT NULL,
    model_name TEXT NOT NULL,
    priority INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    attempt_timeout_ms INTEGER NOT NULL,
    result_ttl_ms INTEGER NOT NULL,
    idempotency_key TEXT,
    work_hash TEXT,
    created_at_ms INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    ready INTEGER NOT NULL CHECK (ready = 0 OR status = 'queued'),
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL,
    lease_end TEXT,
    updated_at_ms INTEGER NOT NULL,
    next_attempt_at_ms INTEGER,
    started_at_ms INTEGER,
    finished_at_ms INTEGER,
    expires_at_ms INTEGER,
    lease_until_ms INTEGER,
    heartbeat_at_ms INTEGER,
    assigned_worker TEXT,
    assigned_peer TEXT,
    progress TEXT,
    error TEXT,
    stored_bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE payloads (seq INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
  CREATE TABLE results (seq INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;

  CREATE INDEX ready_of_type ON tasks (task_type, priority DESC, seq) WHERE ready = 1;
  CREATE INDEX ready_of_any ON tasks (priority DESC, seq) WHERE ready = 1;
  CREATE INDEX delayed ON tasks (next_attempt_at_ms) WHERE status = 'queued' AND ready = 0;
  CREATE INDEX expiring ON tasks (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  CREATE INDEX of_status ON tasks (status, seq);
  CREATE UNIQUE INDEX idempotency ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;
  `,
  'ALTER TABLE tasks ADD COLUMN submitted_by TEXT;',
  // A payload or a result has a row in its own table or one here.
  `
  CREATE TABLE files (
    seq INTEGER NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('payload', 'result')),
    name TEXT NOT NULL,
    PRIMARY KEY (seq, part)
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Every field of a row with its column, in the table's order. */
export const columnOf: Readonly<Record<keyof TaskRow, string>> = {
  id: 'id',
  taskType: 'task_type',
  modelName: 'model_name',
  priority: 'priority',
  maxAttempts: 'max_attempts',
  backoffMs: 'backoff_ms',
  attemptTimeoutMs: 'attempt_timeout_ms',
  resultTtlMs: 'result_ttl_ms',
  idempotencyKey: 'idempotency_key',
  workHash: 'work_hash',
  createdAtMs: 'created_at_ms',
  status: 'status',
  ready: 'ready',
  attempt: 'attempt',
  fence: 'fence',
  leaseMs: 'lease_ms',
  leaseEnd: 'lease_end',
  updatedAtMs: 'updated_at_ms',
  nextAttemptAtMs: 'next_attempt_at_ms',
  startedAtMs: 'started_at_ms',
  finishedAtMs: 'finished_at_ms',
  expiresAtMs: 'expires_at_ms',
  leaseUntilMs: 'lease_until_ms',
  heartbeatAtMs: 'heartbeat_at_ms',
  assignedWorker: 'assigned_worker',
  assignedPeer: 'assigned_peer',
  progress: 'progress',
  error: 'error',
  storedBytes: 'stored_bytes',
  submittedBy: 'submitted_by',
};

export const fields = Object.keys(columnOf) as (keyof TaskRow)[];
