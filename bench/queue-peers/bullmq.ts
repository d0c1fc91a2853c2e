/** BullMQ on Redis: a worker with so many tasks at a time, as its documentation has it. */

import process from 'node:process';
import { loadPackage } from './load-package.ts';
import { type OpenPeer, payloadOf } from './queue-under-test.ts';

interface BullQueue {
  add(name: string, data: unknown): Promise<unknown>;
  addBulk(jobs: { name: string; data: unknown }[]): Promise<unknown>;
  close(): Promise<void>;
}

interface BullWorker {
  on(event: 'active' | 'completed' | 'error', listener: () => void): void;
  run(): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  connection: { url: string; maxRetriesPerRequest: null };
}

interface Package {
  Queue: new (name: string, options: Options) => BullQueue;
  Worker: new (
    name: string,
    processor: () => Promise<unknown>,
    options: Options & { concurrency: number; autorun: false },
  ) => BullWorker;
}

const batch = 500;

export const openBullmq: OpenPeer = async (url, options) => {
  const { Queue, Worker } = await loadPackage<Package>('bullmq');
  const connection = { url, maxRetriesPerRequest: null };
  const name = `work-${process.pid}`;
  const worked = new Queue(name, { connection });
  const idle = new Queue('idle', { connection });
  const data = payloadOf(options);
  return {
    submit: () => idle.add('bench', data),
    async fill(count) {
      for (let left = count; left > 0; left -= batch)
        await worked.addBulk(Array.from({ length: Math.min(batch, left) }, () => ({ name: 'bench', data })));
    },
    async drain(count, inFlight) {
      const worker = new Worker(name, async () => ({ ok: true }), {
        connection,
        concurrency: inFlight,
        autorun: false,
      });
      let from: number | undefined;
      let completed = 0;
      const tookMs = await new Promise<number>((resolve, reject) => {
        worker.on('active', () => {
          from ??= performance.now();
        });
        worker.on('completed', () => {
          if (++completed === count) resolve(performance.now() - (from ?? 0));
        });
        worker.on('error', () => {});
        worker.run().catch(reject);
      });
      await worker.close();
      return tookMs;
    },
    async close() {
      await worked.close();
      await idle.close();
    },
  };
};
