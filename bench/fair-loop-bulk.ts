/**
 * The second node of the fair-loop benchmark, in a process of its own: sends bulk to the service over the peers' wire and has it
 * sent back, at a rate. Half of the bytes go in (`cache_set`), half come out (`cache_get`). Started and commanded by
 * `fair-loop.ts` over IPC.
 */

import process from 'node:process';
import { checked } from '../src/mesh/checked.ts';
import { systemClock } from '../src/mesh/clock.ts';
import type { Mesh } from '../src/mesh/mesh.ts';
import { createNode } from '../src/p2p/node.ts';
import { TokenBucket } from '../src/p2p/token-bucket.ts';

export interface BulkCommand {
  address: string;
  megabytesPerSecond: number;
  /** Bytes of one value. */
  valueBytes: number;
  seconds: number;
}

export interface BulkReport {
  /** Megabytes a second that were asked for and answered, both directions together. */
  reached: number;
  failed: number;
  /** Why the last one failed. */
  failure: string | undefined;
}

const keys = 8;
const maxInFlight = 32;
/** Tokens are looked for this often, in milliseconds. */
const tickMs = 5;

/** Text as bulk data often is: encoded bytes, which no parser gets through faster than it looks at each of them. */
function textOf(bytes: number): { name: string; data: string } {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let seed = 1;
  const block = Array.from({ length: 4096 }, () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return alphabet[seed % 64];
  }).join('');
  return { name: 'bulk', data: block.repeat(Math.ceil(bytes / block.length)).slice(0, bytes) };
}

async function run(mesh: Mesh, { address, megabytesPerSecond, valueBytes, seconds }: BulkCommand): Promise<BulkReport> {
  const report: BulkReport = { reached: 0, failed: 0, failure: undefined };
  if (megabytesPerSecond === 0) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return report;
  }
  const value = textOf(valueBytes);
  const target = { remote_multiaddr: address };
  const key = (index: number): string => `bulk-${index % keys}`;
  for (let index = 0; index < keys; index++) await mesh.call('cache_set', { key: key(index), value, ...target });
  const perSecond = (megabytesPerSecond * 1e6) / valueBytes;
  const bucket = new TokenBucket(perSecond, Math.max(2, (perSecond * tickMs * 2) / 1000), systemClock);
  const inFlight = new Set<Promise<void>>();
  let count = 0;
  let done = 0;
  const from = performance.now();
  while (performance.now() - from < seconds * 1000) {
    while (inFlight.size < maxInFlight && bucket.take()) {
      const index = count++;
      const input = { key: key(index >> 1), ...target };
      const call = index % 2 === 0 ? mesh.call('cache_set', { ...input, value }) : mesh.call('cache_get', input);
      const ended = call
        .then(
          () => void done++,
          (error: Error) => {
            report.failed++;
            report.failure = error.message;
          },
        )
        .finally(() => inFlight.delete(ended));
      inFlight.add(ended);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  report.reached = (done * valueBytes) / 1e6 / ((performance.now() - from) / 1000);
  await Promise.all(inFlight);
  return report;
}

const [dataFolder = ''] = process.argv.slice(2);
const node = createNode({ dataFolder, listen: [], bootstrap: [], mdns: false, layout: 'inline' });
await node.start();
const mesh = checked(node);
process.on('message', async (command: BulkCommand | 'end') => {
  if (command !== 'end') process.send?.(await run(mesh, command));
  else {
    await node.stop();
    process.exit(0);
  }
});
process.send?.('ready');
