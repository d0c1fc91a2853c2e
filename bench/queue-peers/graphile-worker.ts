/**
 * graphile-worker on PostgreSQL. Several at a time with its local queue, which its documentation names for many short tasks: it leases
 * tasks in batches and hands them out by itself.
 */

import { EventEmitter } from 'node:events';
import process from 'node:process';
import { loadPackage } from './load-package.ts';
import { type OpenPeer, payloadOf } from './queue-under-test.ts';

interface Pool {
  on(event: 'error', listener: () => void): void;
  end(): Promise<void>;
}

/** The client that graphile-worker itself depends on. */
interface PgPackage {
  default: { Pool: new (options: { connectionString: string; max: number }) => Pool };
}

interface RunOptions {
  pgPool: Pool;
  concurrency?: number;
  noHandleSignals: boolean;
  events?: EventEmitter;
  logger: unknown;
  taskList?: Record<string, () => Promise<void>>;
  preset?: { worker: { localQueue: { size: number } } };
}

interface Package {
  makeWorkerUtils(options: Pick<RunOptions, 'pgPool' | 'logger'>): Promise<{
    migrate(): Promise<void>;
    addJob(identifier: string, payload: unknown): Promise<unknown>;
    addJobs(jobs: { identifier: string; payload: unknown }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  run(options: RunOptions): Promise<{ stop(): Promise<void> }>;
  Logger: new (factory: () => () => void) => unknown;
}

const batch = 500;
const localQueueSize = 500;
const maxConnections = 20;

export const openGraphileWorker: OpenPeer = async (url, options) => {
  const graphile = await loadPackage<Package>('graphile-worker');
  const logger = new graphile.Logger(() => () => {});
  const { Pool } = (await loadPackage<PgPackage>('pg')).default;
  const pgPool = new Pool({ connectionString: url, max: maxConnections });
  pgPool.on('error', () => {});
  const common = { pgPool, logger };
  const utils = await graphile.makeWorkerUtils(common);
  await utils.migrate();
  const payload = payloadOf(options);
  const worked = `work-${process.pid}`;
  return {
    submit: () => utils.addJob('idle', payload),
    async fill(count) {
      for (let left = count; left > 0; left -= batch)
        await utils.addJobs(Array.from({ length: Math.min(batch, left) }, () => ({ identifier: worked, payload })));
    },
    async drain(count, inFlight) {
      const events = new EventEmitter();
      let from: number | undefined;
      let completed = 0;
      const done = new Promise<number>((resolve) => {
        events.on('job:start', () => {
          from ??= performance.now();
        });
        events.on('job:complete', () => {
          if (++completed === count) resolve(performance.now() - (from ?? 0));
        });
      });
      const runner = await graphile.run({
        ...common,
        concurrency: inFlight,
        noHandleSignals: true,
        events,
        taskList: { [worked]: async () => {} },
        ...(inFlight === 1 ? {} : { preset: { worker: { localQueue: { size: localQueueSize } } } }),
      });
      const tookMs = await done;
      await runner.stop();
      return tookMs;
    },
    async close() {
      await utils.release();
      await pgPool.end();
    },
  };
};
