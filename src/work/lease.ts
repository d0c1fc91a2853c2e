/**
 * Holds the lease on one task while it is worked on: renews it, carries progress, and hears at once when it is lost.
 *
 * Called by `attempt`. Owns one timer and at most two calls in flight, a heartbeat and a wait; `close` ends all of them.
 * A node that cannot be reached does not end the lease: only the owner's word does, since the owner's clock alone decides,
 * and after a restart it grants the lease afresh.
 */

import { jsonBytes } from '../mesh/check-input.ts';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { type ErrorCode, MeshError, toMeshError } from '../mesh/errors.ts';
import { defaultLimits } from '../mesh/limits.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { ClaimedTask } from '../mesh/task.ts';

/** Notes that come faster are merged, in milliseconds. */
const progressEveryMs = 250;

/** One watching `wait`, in seconds. Short enough for HTTP clients that give up on silent answers. */
const watchSeconds = 60;

const lostCodes: ReadonlySet<ErrorCode> = new Set(['stale_fence', 'task_cancelled', 'task_not_found', 'wrong_state']);

/** Whether an error of a lease's verb means that the task is not ours any more. */
export function isLeaseLost(error: MeshError): boolean {
  return lostCodes.has(error.code);
}

export interface Lease {
  progress(note: unknown): void;
  close(): void;
}

/** `onLost` is called at most once, and never after `close`. */
export function holdLease(mesh: Mesh, task: ClaimedTask, clock: Clock, onLost: (error: MeshError) => void): Lease {
  const { task_id, fence } = task;
  const everyMs = (task.lease_s * 1000) / 3;
  const closing = new AbortController();
  const { signal } = closing;
  let cancelTimer: CancelTimer = () => {};
  let beating = false;
  let watching = false;
  /** The newest note that no heartbeat has carried yet. */
  let unsent: { note: unknown } | undefined;
  let lastBeatMs = Number.NEGATIVE_INFINITY;
  let failing = false;

  /** The least time from one heartbeat to the next. */
  const gapMs = (): number => (failing ? everyMs / 3 : Math.min(progressEveryMs, everyMs));

  const close = (): void => {
    cancelTimer();
    closing.abort();
  };

  const lost = (error: MeshError): void => {
    if (signal.aborted) return;
    close();
    onLost(error);
  };

  const arm = (delayMs: number): void => {
    cancelTimer();
    if (!signal.aborted) cancelTimer = clock.setTimer(delayMs, beat);
  };

  const beat = async (): Promise<void> => {
    const carried = unsent;
    unsent = undefined;
    beating = true;
    lastBeatMs = clock.monotonicMs();
    try {
      const input = carried === undefined ? { task_id, fence } : { task_id, fence, progress: carried.note };
      await mesh.call('heartbeat', input, { signal, deadlineMs: Math.max(everyMs, 1000) });
      failing = false;
      watch();
    } catch (thrown) {
      const error = toMeshError(thrown);
      if (isLeaseLost(error)) lost(error);
      // A note that the node refuses would be refused again; one that did not arrive goes with the next heartbeat.
      if (error.retryable) unsent ??= carried;
      failing = true;
    }
    beating = false;
    arm(failing || unsent !== undefined ? gapMs() : everyMs);
  };

  /** Keeps a `wait` on the task: its end by others is heard at once instead of at the next heartbeat. */
  const watch = async (): Promise<void> => {
    if (watching || signal.aborted) return;
    watching = true;
    try {
      const { task: now, done } = await mesh.call('wait', { task_id, timeout_s: watchSeconds }, { signal });
      if (done) lost(endedByOthers(now.status, now.error));
    } catch {
      // The next heartbeat that gets through starts to watch again.
    }
    watching = false;
  };

  arm(everyMs);
  watch();
  return {
    close,
    progress(note) {
      const bytes = jsonBytes(note);
      if (bytes > defaultLimits.maxNoteBytes) {
        throw new MeshError(
          'payload_too_large',
          `The progress note is ${bytes} bytes of JSON; at most ${defaultLimits.maxNoteBytes} are allowed. Send a summary.`,
        );
      }
      unsent = { note };
      if (!beating) arm(Math.max(0, Math.min(everyMs, lastBeatMs + gapMs() - clock.monotonicMs())));
    },
  };
}

function endedByOthers(status: string, reason: string | null): MeshError {
  if (status === 'cancelled') {
    return new MeshError('task_cancelled', `The task was cancelled${reason ? `: ${reason}` : ''}. Stop working on it.`);
  }
  return new MeshError('stale_fence', `The task is ${status} already, by another worker. Stop working on it.`);
}
