/** What the worker's tests share. */

import type { TaskRunner } from '../../src/work/task-runner.ts';
import { type WorkEvent, type WorkOptions, work } from '../../src/work/work.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryMesh } from './memory-mesh.ts';

export interface Bench {
  queue: MemoryMesh;
  clock: FakeClock;
  worker: ReturnType<typeof work>;
  events: WorkEvent[];
  /** Resolves with the next event of the type that has not been asked for yet. */
  next<Type extends WorkEvent['type']>(type: Type): Promise<Extract<WorkEvent, { type: Type }>>;
}

/** A worker on a fake clock and a queue in memory. */
export function bench(run: TaskRunner, options: Partial<WorkOptions> = {}, queue = new MemoryMesh()): Bench {
  const clock = new FakeClock();
  const events: WorkEvent[] = [];
  const unread: WorkEvent[] = [];
  let wake = (): void => {};
  const worker = work(queue.mesh, {
    types: ['text.stats'],
    run,
    clock,
    random: () => 1 - 2 ** -20,
    workerId: 'w1',
    onEvent: (event) => {
      events.push(event);
      unread.push(event);
      wake();
    },
    ...options,
  });
  const next: Bench['next'] = async (type) => {
    for (;;) {
      const at = unread.findIndex((event) => event.type === type);
      if (at >= 0) return unread.splice(at, 1)[0] as never;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { queue, clock, worker, events, next };
}

/** A runner that goes on until it is told to stop, and tells when it has started. */
export function endless(): { run: TaskRunner; started: Promise<AbortSignal> } {
  const { promise: started, resolve } = Promise.withResolvers<AbortSignal>();
  const run: TaskRunner = (_task, { signal }) =>
    new Promise((_done, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      resolve(signal);
    });
  return { run, started };
}

/** Lets all promises that can go on do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
