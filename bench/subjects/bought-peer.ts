/**
 * The other node of the suite `bought`, in a process of its own: loads the service over the peers' wire, with bulk, with tasks, with
 * connections or streams that come and go; or asks it small things and times the answers. Started by `bought.ts`.
 */

import { checked } from '../../src/mesh/checked.ts';
import { systemClock } from '../../src/mesh/clock.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';
import { createNode } from '../../src/p2p/node.ts';
import { parseDialAddress } from '../../src/p2p/reach/addresses.ts';
import { TokenBucket } from '../../src/p2p/token-bucket.ts';
import { openLoop } from '../loops.ts';
import { type CarriageHost, openCarriageHost } from './carriage-host.ts';
import { serveParent } from './own-child.ts';

export interface BoughtPeerParams {
  dataFolder: string;
  /** The service's. */
  address: string;
}

export type PeerLoad = 'bulk' | 'queue' | 'connections' | 'streams';

export type PeerQuestion =
  /** `amount` is megabytes, tasks, connections or streams a second. */
  { kind: PeerLoad; amount: number; ms: number } | { kind: 'probe'; perSecond: number; ms: number };

export interface PeerAnswer {
  /** Of the amount a second. */
  reached: number;
  failed: number;
  /** Milliseconds of each call; of `probe`. */
  latency?: number[];
}

const bulkBytes = 1_000_000;
const bulkKeys = 8;
const maxInFlight = 32;
/** Tokens are looked for this often, in milliseconds. */
const tickMs = 5;
/** Hosts that connect in turns: one host has one connection with a peer at a time. */
const connectors = 4;

/** Text as bulk data often is: encoded bytes, which no parser gets through faster than it looks at each of them. */
function bulkValue(): { name: string; data: string } {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let seed = 1;
  const block = Array.from({ length: 4096 }, () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return alphabet[seed % 64];
  }).join('');
  return { name: 'bulk', data: block.repeat(Math.ceil(bulkBytes / block.length)).slice(0, bulkBytes) };
}

/** Does something so many times a second, as far as the other side keeps up. Unlike an open loop it sends no more than it can bear. */
async function paced(perSecond: number, ms: number, act: (index: number) => Promise<unknown>): Promise<PeerAnswer> {
  const answer: PeerAnswer = { reached: 0, failed: 0 };
  const bucket = new TokenBucket(perSecond, Math.max(2, (perSecond * tickMs * 2) / 1000), systemClock);
  const inFlight = new Set<Promise<void>>();
  let count = 0;
  let done = 0;
  const from = performance.now();
  while (performance.now() - from < ms) {
    while (inFlight.size < maxInFlight && bucket.take()) {
      const ended = act(count++)
        .then(
          () => void done++,
          () => void answer.failed++,
        )
        .finally(() => inFlight.delete(ended));
      inFlight.add(ended);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  answer.reached = done / ((performance.now() - from) / 1000);
  await Promise.all(inFlight);
  return answer;
}

/** Half of the bytes go in, half come out. */
async function bulk(mesh: Mesh, target: { remote_multiaddr: string }, amount: number, ms: number): Promise<PeerAnswer> {
  const value = bulkValue();
  const key = (index: number): string => `bulk-${index % bulkKeys}`;
  for (let index = 0; index < bulkKeys; index++) await mesh.call('cache_set', { key: key(index), value, ...target });
  const answer = await paced((amount * 1e6) / bulkBytes, ms, (index) => {
    const input = { key: key(index >> 1), ...target };
    return index % 2 === 0 ? mesh.call('cache_set', { ...input, value }) : mesh.call('cache_get', input);
  });
  return { ...answer, reached: (answer.reached * bulkBytes) / 1e6 };
}

const payload = { text: 'x'.repeat(256) };

/** A task given to the service, claimed from it and completed. */
async function oneTask(mesh: Mesh, target: { remote_multiaddr: string }): Promise<void> {
  await mesh.call('submit', { task_type: 'bench.load', payload, ...target });
  const { task } = await mesh.call('claim', { supported_task_types: ['bench.load'], wait_s: 5, ...target });
  if (task === null) throw new Error('The task that was submitted could not be claimed.');
  await mesh.call('complete', { task_id: task.task_id, fence: task.fence, result: { ok: true } });
}

await serveParent<BoughtPeerParams>(async ({ dataFolder, address }) => {
  const node = createNode({ dataFolder, listen: [], bootstrap: [], mdns: false, layout: 'inline' });
  await node.start();
  const mesh = checked(node);
  const target = { remote_multiaddr: address };
  await mesh.call('connect', target);
  const hosts = await Promise.all(
    Array.from({ length: connectors }, () => openCarriageHost({ encryption: 'noise', listen: false })),
  );
  const { address: dialed } = parseDialAddress(address);
  /** One after the other on each host: its last connection, or its last ping, has ended before the next one begins. */
  const turns = hosts.map(() => Promise.resolve());
  const inTurn = (index: number, act: (host: CarriageHost) => Promise<unknown>): Promise<void> => {
    const at = index % connectors;
    const host = hosts[at];
    if (host === undefined) return Promise.reject(new Error('There is no such host.'));
    const turn = (turns[at] ?? Promise.resolve()).then(async () => void (await act(host)));
    turns[at] = turn.catch(() => {});
    return turn;
  };
  const connectOnce = (index: number): Promise<void> =>
    inTurn(index, async ({ host }) => (await host.dial(dialed)).close());
  /** Ping opens a stream of its own each time; the connection stays. */
  const streamOnce = (index: number): Promise<void> => inTurn(index, ({ host }) => host.services.ping.ping(dialed));
  return {
    ready: null,
    async answer(question: PeerQuestion): Promise<PeerAnswer> {
      const { ms } = question;
      switch (question.kind) {
        case 'bulk':
          return bulk(mesh, target, question.amount, ms);
        case 'queue':
          return paced(question.amount, ms, () => oneTask(mesh, target));
        case 'connections':
          return paced(question.amount, ms, connectOnce);
        case 'streams':
          return paced(question.amount, ms, streamOnce);
        case 'probe': {
          const ask = (): Promise<unknown> => mesh.call('cache_has', { key: 'nothing', ...target });
          const { latency, failed, rate } = await openLoop(ask, { perSecond: question.perSecond, ms });
          return { reached: rate, failed, latency: latency.map((us) => us / 1000) };
        }
      }
    },
    async close() {
      await Promise.all(hosts.map((host) => host.close()));
      await node.stop();
    },
  };
});
