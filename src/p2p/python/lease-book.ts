/**
 * Whose lease a completion on the Python listener is: the wire has no fence, and its clients come with a new identity for each call.
 *
 * A task's first lease goes by the task's own id. Should that lease be lost, the next one goes by an id of its own, which only its
 * worker is told. So an id stands for one lease, and a late worker's word is refused. The lease's holder is whoever comes with
 * the identity that claimed it, or else from the address that claimed it.
 *
 * The book is kept on disk, for as long as a late worker may come: a node that starts again knows its workers.
 */

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { openCache } from '../../cache/cache.ts';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Asker } from './asker.ts';

/** How long an id stands for its lease, in seconds: as long as finished tasks are kept by default. */
const keepSeconds = 604_800;

/** Digits of a task id that say when it was made; a lease's own id shares them, so that people see that they belong together. */
const sharedDigits = 14;
const ownBytes = 9;

const entry = z.object({
  task: z.string(),
  fence: z.number(),
  peer: z.string(),
  host: z.string(),
  worker: z.string(),
});

/** A lease as the queue knows it: `caller` is the peer id that claimed it. */
export interface BookedLease {
  readonly taskId: string;
  readonly fence: number;
  readonly caller: string;
}

export interface LeaseBook extends AsyncDisposable {
  /** Notes a lease and answers the id that its worker is told. Ids are local ones. */
  open(lease: BookedLease, asker: Asker, worker: string): Promise<string>;
  /** The lease that the id stands for. Throws `stale_fence` when it is not this asker's. */
  find(toldId: string, asker: Asker, worker: string): Promise<BookedLease>;
  /** The task that the id stands for: its own, or that of a lease. */
  taskOf(toldId: string): Promise<string>;
}

export interface LeaseBookOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'maxCacheEntries' | 'maxCacheBytes'>;
}

export async function openLeaseBook(options: LeaseBookOptions): Promise<LeaseBook> {
  const pages = await openCache(options);
  const read = async (key: string): Promise<z.infer<typeof entry> | undefined> => {
    const { hit, value } = await pages.get({ key });
    return hit ? entry.parse(value) : undefined;
  };
  return {
    async open({ taskId, fence, caller }, { host }, worker) {
      const isFirst = (await read(taskId)) === undefined;
      const toldId = isFirst ? taskId : taskId.slice(0, sharedDigits) + randomBytes(ownBytes).toString('hex');
      const value: z.infer<typeof entry> = { task: taskId, fence, peer: caller, host, worker };
      await pages.set({ key: toldId, value, ttl_s: keepSeconds });
      return toldId;
    },
    async find(toldId, { peerId, host }, worker) {
      const lease = await read(toldId);
      if (lease === undefined) throw notHeld('no lease under this id was given out to a Python worker');
      const sameWorker = worker === '' || worker === lease.worker;
      if (lease.peer !== peerId && lease.host !== host)
        throw notHeld('it was claimed from another address and by another peer id');
      if (!sameWorker) throw notHeld(`it was claimed by the worker "${lease.worker}"`);
      return { taskId: lease.task, fence: lease.fence, caller: lease.peer };
    },
    taskOf: async (toldId) => (await read(toldId))?.task ?? toldId,
    [Symbol.asyncDispose]: () => pages.close(),
  };
}

function notHeld(why: string): MeshError {
  return new MeshError('stale_fence', `The lease on this task is not yours: ${why}. Claim again for more work.`);
}
