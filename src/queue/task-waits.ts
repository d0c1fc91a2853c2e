/**
 * Those who wait for tasks to be finished. Called by the engine, which tells of every change of a task. Bounded by
 * `maxWaiters` together with the claims that wait.
 */

import { getLogger } from '@logtape/logtape';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { TaskProgress } from '../mesh/mesh.ts';
import { isFinal } from '../mesh/task.ts';
import type { TaskRow } from './task-row.ts';

const log = getLogger(['taskmesh', 'queue']);

interface Wait {
  readonly finish: () => void;
  readonly fail: (error: MeshError) => void;
  readonly onProgress: ((progress: TaskProgress) => void) | undefined;
}

interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: TaskProgress) => void) | undefined;
}

export class TaskWaits {
  readonly #clock: Clock;
  readonly #waits = new Map<string, Set<Wait>>();
  #size = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** Resolves when the task is finished or the time is over; look at the task to see which. Throws `cancelled`. */
  wait(id: string, options: WaitOptions): { readonly over: Promise<void>; readonly leave: () => void } {
    const { signal, timeoutMs, onProgress } = options;
    let leave = (): void => {};
    const over = new Promise<void>((resolve, reject) => {
      let cancelTimer: CancelTimer | undefined;
      const end = (settle: () => void): void => {
        if (!this.#remove(id, wait)) return;
        cancelTimer?.();
        signal?.removeEventListener('abort', abort);
        settle();
      };
      const finish = (): void => end(resolve);
      const fail = (error: MeshError): void => end(() => reject(error));
      const abort = (): void => fail(new MeshError('cancelled', 'The wait was given up by its caller.'));
      const wait: Wait = { finish, fail, onProgress };
      leave = finish;
      this.#add(id, wait);
      signal?.addEventListener('abort', abort, { once: true });
      cancelTimer = this.#clock.setTimer(timeoutMs, finish);
      if (signal?.aborted) abort();
    });
    // Who asks may still be looking at the task when it is given up, and hears of it then.
    over.catch(() => {});
    return { over, leave };
  }

  /** A change of a task was committed. */
  changed(after: TaskRow, before: TaskRow): void {
    const waits = this.#waits.get(after.id);
    if (waits === undefined) return;
    const told = after.status !== before.status || after.progress !== before.progress;
    const progress = told ? progressOf(after) : undefined;
    for (const wait of [...waits]) {
      if (progress !== undefined) tell(wait, progress);
      if (isFinal(after.status)) wait.finish();
    }
  }

  /** Fails all waits. */
  close(error: MeshError): void {
    for (const waits of [...this.#waits.values()]) for (const wait of [...waits]) wait.fail(error);
  }

  #add(id: string, wait: Wait): void {
    this.#size++;
    const waits = this.#waits.get(id);
    if (waits === undefined) this.#waits.set(id, new Set([wait]));
    else waits.add(wait);
  }

  #remove(id: string, wait: Wait): boolean {
    const waits = this.#waits.get(id);
    if (waits === undefined || !waits.delete(wait)) return false;
    if (waits.size === 0) this.#waits.delete(id);
    this.#size--;
    return true;
  }
}

/** One listener that throws must not keep the others from hearing. */
function tell(wait: Wait, progress: TaskProgress): void {
  try {
    wait.onProgress?.(progress);
  } catch (thrown) {
    log.error('A listener to progress threw: {error}', { error: thrown });
  }
}

function progressOf(row: TaskRow): TaskProgress {
  return {
    task_id: row.id,
    status: row.status,
    attempt: row.attempt,
    progress: row.progress === null ? null : JSON.parse(row.progress),
  };
}
