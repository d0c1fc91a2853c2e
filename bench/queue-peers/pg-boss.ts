/** pg-boss on PostgreSQL: fetched and completed one by one, or in batches of as many as are to be worked on at a time. */

import process from 'node:process';
import { loadPackage } from './load-package.ts';
import { type OpenPeer, payloadOf } from './queue-under-test.ts';

interface Boss {
  on(event: 'error', listener: () => void): void;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean }): Promise<void>;
  createQueue(name: string): Promise<void>;
  send(name: string, data: object): Promise<unknown>;
  insert(name: string, jobs: { data: object }[]): Promise<unknown>;
  fetch(name: string, options: { batchSize: number }): Promise<{ id: string }[]>;
  complete(name: string, ids: string[]): Promise<unknown>;
}

interface Package {
  PgBoss: new (options: { connectionString: string; max: number; supervise: boolean; schedule: boolean }) => Boss;
}

const batch = 500;
const maxConnections = 20;

export const openPgBoss: OpenPeer = async (url, options) => {
  const { PgBoss } = await loadPackage<Package>('pg-boss');
  const boss = new PgBoss({ connectionString: url, max: maxConnections, supervise: false, schedule: false });
  boss.on('error', () => {});
  await boss.start();
  const data = payloadOf(options);
  const worked = `work-${process.pid}`;
  for (const name of [worked, 'idle']) await boss.createQueue(name);
  return {
    submit: () => boss.send('idle', data),
    async fill(count) {
      for (let left = count; left > 0; left -= batch)
        await boss.insert(
          worked,
          Array.from({ length: Math.min(batch, left) }, () => ({ data })),
        );
    },
    async drain(count, inFlight) {
      const from = performance.now();
      for (let left = count; left > 0; ) {
        const jobs = await boss.fetch(worked, { batchSize: Math.min(inFlight, left) });
        if (jobs.length === 0) throw new Error(`There were ${left} tasks fewer than it was filled with.`);
        await boss.complete(
          worked,
          jobs.map(({ id }) => id),
        );
        left -= jobs.length;
      }
      return performance.now() - from;
    },
    close: () => boss.stop({ graceful: false }),
  };
};
