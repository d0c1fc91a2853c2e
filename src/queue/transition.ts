/**
 * The one function in which tasks change their state. The engine calls it inside of the store's transaction; it decides by
 * the table `transitions` (src/mesh/task.ts) and by the lease, touches nothing, and answers what is to be written.
 */

import { MeshError } from '../mesh/errors.ts';
import { type TaskStatus, type TaskVerb, transitions } from '../mesh/task.ts';
import { backoffDelayMs } from './backoff.ts';
import type { LeaseEnd, RowPatch, TaskRow } from './task-row.ts';

/** Proof of a lease: the fence that claim answered, and the peer that asks. */
export interface Lease {
  readonly fence: number;
  readonly caller: string;
}

export type Change =
  | { readonly verb: 'claim'; readonly caller: string; readonly worker: string; readonly leaseMs: number }
  | { readonly verb: 'heartbeat'; readonly lease: Lease; readonly leaseMs?: number; readonly progress?: string }
  | { readonly verb: 'complete'; readonly lease: Lease }
  | {
      readonly verb: 'fail';
      readonly lease: Lease;
      readonly error: string;
      readonly retry: boolean;
      readonly delayMs?: number;
    }
  | { readonly verb: 'release'; readonly lease: Lease; readonly reason: string; readonly delayMs: number }
  | { readonly verb: 'expire'; readonly error: string }
  | { readonly verb: 'cancel'; readonly reason: string }
  | { readonly verb: 'retry'; readonly delayMs: number };

/**
 * What the change writes; null when it was made before and the call is a repetition.
 *
 * Throws `stale_fence`, `task_cancelled` or `wrong_state`. `random` answers numbers from 0 up to 1.
 */
export function transition(row: TaskRow, change: Change, nowMs: number, random: () => number): RowPatch | null {
  if (isRepetition(row, change)) return null;
  if ('lease' in change) checkLease(row, change.lease, change.verb);
  const allowed = transitions[row.status][change.verb];
  if (allowed === undefined) throw wrongState(row.status, change.verb);
  const patch = changed(row, change, nowMs, random);
  const to = patch.status ?? row.status;
  if (!allowed.includes(to)) throw wrongState(row.status, change.verb);
  return { ...patch, updatedAtMs: nowMs };
}

function changed(row: TaskRow, change: Change, nowMs: number, random: () => number): RowPatch {
  switch (change.verb) {
    case 'claim':
      return {
        status: 'running',
        ready: 0,
        attempt: row.attempt + 1,
        fence: row.fence + 1,
        leaseMs: change.leaseMs,
        leaseEnd: null,
        nextAttemptAtMs: null,
        startedAtMs: nowMs,
        leaseUntilMs: nowMs + change.leaseMs,
        heartbeatAtMs: nowMs,
        assignedWorker: change.worker,
        assignedPeer: change.caller,
        progress: null,
      };
    case 'heartbeat': {
      const leaseMs = change.leaseMs ?? row.leaseMs;
      const patch: RowPatch = { leaseMs, leaseUntilMs: nowMs + leaseMs, heartbeatAtMs: nowMs };
      return change.progress === undefined ? patch : { ...patch, progress: change.progress };
    }
    case 'complete':
      return { ...finished('completed', row, nowMs, null), leaseEnd: 'complete' };
    case 'fail':
      if (!change.retry || attemptsUsedUp(row))
        return { ...finished('failed', row, nowMs, change.error), leaseEnd: 'fail' };
      return {
        ...queued(nowMs, change.delayMs ?? backoffDelayMs(row.backoffMs, row.attempt, random)),
        leaseEnd: 'fail',
        error: change.error,
      };
    case 'expire':
      if (attemptsUsedUp(row)) return { ...finished('failed', row, nowMs, change.error), leaseEnd: 'expire' };
      return {
        ...queued(nowMs, backoffDelayMs(row.backoffMs, row.attempt, random)),
        leaseEnd: 'expire',
        error: change.error,
      };
    case 'release': {
      const patch: RowPatch = { ...queued(nowMs, change.delayMs), leaseEnd: 'release', attempt: row.attempt - 1 };
      return change.reason === '' ? patch : { ...patch, error: `Given back: ${change.reason}` };
    }
    case 'cancel':
      return finished('cancelled', row, nowMs, change.reason === '' ? 'Cancelled.' : change.reason);
    case 'retry':
      return {
        ...queued(nowMs, change.delayMs),
        leaseEnd: null,
        attempt: 0,
        finishedAtMs: null,
        expiresAtMs: null,
        startedAtMs: null,
        error: null,
        progress: null,
      };
  }
}

function queued(nowMs: number, delayMs: number): RowPatch {
  const waitMs = Math.ceil(delayMs);
  return {
    status: 'queued',
    ready: waitMs > 0 ? 0 : 1,
    nextAttemptAtMs: waitMs > 0 ? nowMs + waitMs : null,
    leaseUntilMs: null,
  };
}

function finished(status: TaskStatus, row: TaskRow, nowMs: number, error: string | null): RowPatch {
  return {
    status,
    ready: 0,
    nextAttemptAtMs: null,
    leaseUntilMs: null,
    finishedAtMs: nowMs,
    expiresAtMs: nowMs + row.resultTtlMs,
    error,
  };
}

function attemptsUsedUp(row: TaskRow): boolean {
  return row.maxAttempts > 0 && row.attempt >= row.maxAttempts;
}

const endedBy: Partial<Record<TaskVerb, LeaseEnd>> = { complete: 'complete', fail: 'fail', release: 'release' };

/** The same verb, from the same holder with the same fence, was answered before; or the task is cancelled already. */
function isRepetition(row: TaskRow, change: Change): boolean {
  if (change.verb === 'cancel') return row.status === 'cancelled';
  if (!('lease' in change) || row.status === 'running' || row.status === 'cancelled') return false;
  return holds(row, change.lease) && row.leaseEnd !== null && row.leaseEnd === endedBy[change.verb];
}

function holds(row: TaskRow, lease: Lease): boolean {
  return row.fence === lease.fence && row.assignedPeer === lease.caller;
}

function checkLease(row: TaskRow, lease: Lease, verb: TaskVerb): void {
  if (!holds(row, lease)) {
    throw new MeshError(
      'stale_fence',
      'The lease on this task is not yours: another worker was given the task, or the fence is not the one that claim answered. Stop working on it.',
      { details: { fence: lease.fence } },
    );
  }
  if (row.status === 'running') return;
  if (row.status === 'cancelled')
    throw new MeshError(
      'task_cancelled',
      `The task was cancelled (${row.error ?? 'no reason given'}). Stop working on it.`,
    );
  if (row.status === 'queued' || row.leaseEnd === 'expire') {
    throw new MeshError(
      'stale_fence',
      `The lease on this task is over (${row.error ?? 'it was given back'}). Stop working on it; claim again for more work.`,
      { details: { fence: lease.fence } },
    );
  }
  throw wrongState(row.status, verb);
}

function wrongState(status: TaskStatus, verb: TaskVerb): MeshError {
  const can = Object.keys(transitions[status]).join(', ');
  return new MeshError(
    'wrong_state',
    `The task is ${status}; ${verb} is not possible then. ${can === '' ? 'Nothing changes it any more.' : `Possible: ${can}.`}`,
    { details: { status } },
  );
}
