/** Subject of the suite `queue`: one queue, ours or a peer's, that tasks are given to and taken from. */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { closedLoop } from '../loops.ts';
import type { OpenPeer } from '../queue-peers/queue-under-test.ts';
import { serveCells } from '../serve-cells.ts';

export type PeerName = 'bullmq' | 'graphile-worker' | 'pg-boss';

export interface QueueParams {
  system: 'taskmesh' | PeerName;
  /** For our file. */
  folder: string;
  /** Of a peer's server. */
  url?: string;
  /** Tasks that wait all the time, beside those that are worked on. */
  backlog: number;
  payloadBytes: number;
}

export type QueueTask = { what: 'submit' | 'work'; inFlight: number };

/** Before a rate is known. */
const firstGuess = 100;
/** A drain of fewer tasks says nothing. */
const leastTasks = 20;
/** Nor one in which each of those who work had but one. */
const leastPerLane = 5;
/** Filling the queue takes time too, which is not measured. */
const mostTasks = 20_000;

/** Each peer's file loads its package, so that no other is needed. */
const peers: Readonly<Record<PeerName, () => Promise<OpenPeer>>> = {
  bullmq: async () => (await import('../queue-peers/bullmq.ts')).openBullmq,
  'graphile-worker': async () => (await import('../queue-peers/graphile-worker.ts')).openGraphileWorker,
  'pg-boss': async () => (await import('../queue-peers/pg-boss.ts')).openPgBoss,
};

await serveCells<QueueParams, QueueTask>(async ({ system, folder: given, url = '', backlog, payloadBytes }) => {
  const folder = await mkdtemp(join(given, 'q'));
  const queue =
    system === 'taskmesh'
      ? await (await import('./queue-own.ts')).openOwnQueue(folder, { payloadBytes })
      : await (await peers[system]())(url, { payloadBytes });
  /** Tasks a second, per number in flight, as it was last time: how many fit into a round. */
  const rates = new Map<number, number>();
  let waiting = 0;
  return {
    async measure({ what, inFlight }, { ms }) {
      if (what === 'submit') {
        const { rate } = await closedLoop(() => queue.submit(), { inFlight, ms });
        return { figures: { submit: rate } };
      }
      let count = Math.max(
        leastTasks,
        leastPerLane * inFlight,
        Math.round(((rates.get(inFlight) ?? firstGuess) * ms) / 1000),
      );
      // Too few tasks are over before a worker has found its pace: then once more, with more of them.
      for (let tookMs = 0; ; count = Math.min(count * 3, Math.ceil((count * ms) / tookMs))) {
        const missing = backlog + count - waiting;
        if (missing > 0) await queue.fill(missing);
        waiting += Math.max(0, missing);
        tookMs = await queue.drain(count, inFlight);
        waiting -= count;
        const rate = count / (tookMs / 1000);
        rates.set(inFlight, rate);
        if (tookMs >= 0.7 * ms || count >= mostTasks) return { figures: { work: rate }, notes: { tasks: count } };
      }
    },
    async close() {
      await queue.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
