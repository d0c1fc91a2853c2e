/**
 * One process's share of the hop benchmark: the bridge's worker layout beside a bare MessagePort ping-pong, in turns, on the
 * runtime that runs this file. Prints one JSON object. Started by `hop.ts`.
 */

import process from 'node:process';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { SupervisedMesh } from '../src/bridge/supervised-mesh.ts';
import { workerWay } from '../src/bridge/worker-way.ts';

/** What is measured: asks once, resolves when the answer is there. */
type Ask = () => Promise<unknown>;

const rounds = Number(process.argv[2] ?? 20);
const callsPerRound = 500;
const inFlight = 64;
const callsPerBurst = 32_000;

const input = { key: 'k', remote_peer_id: '', remote_multiaddr: '' };

function openFloor(): { ask: Ask; close(): Promise<unknown> } {
  const { port1, port2 } = new MessageChannel();
  const main = new URL('./far-side/echo-main.ts', import.meta.url);
  const worker = new Worker(main, { workerData: { port: port2 }, transferList: [port2] });
  const waiting: (() => void)[] = [];
  const receiver = port1 as MessagePort as unknown as { onmessage: () => void };
  receiver.onmessage = () => waiting.shift()?.();
  return {
    ask: () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        port1.postMessage(input);
      }),
    async close() {
      port1.close();
      await worker.terminate();
    },
  };
}

async function openBridge(): Promise<{ ask: Ask; close(): Promise<unknown> }> {
  const way = workerWay({ node: {}, logLevel: 'fatal', main: new URL('./far-side/no-op-main.ts', import.meta.url) });
  const mesh = new SupervisedMesh(way, {
    onDown(cause) {
      throw cause;
    },
  });
  await mesh.start();
  return { ask: () => mesh.call('cache_has', input), close: () => mesh.stop() };
}

/** Microseconds of each call, one at a time. */
async function oneByOne(ask: Ask): Promise<number[]> {
  const samples: number[] = [];
  for (let call = 0; call < callsPerRound; call++) {
    const from = performance.now();
    await ask();
    samples.push((performance.now() - from) * 1000);
  }
  return samples;
}

/** Calls per second with a fixed number in flight. */
async function burst(ask: Ask): Promise<number> {
  let left = callsPerBurst;
  const from = performance.now();
  const lane = async (): Promise<void> => {
    while (left-- > 0) await ask();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return callsPerBurst / ((performance.now() - from) / 1000);
}

const floor = openFloor();
const bridge = await openBridge();
const result = {
  floor: { us: [] as number[][], perSecond: [] as number[] },
  bridge: { us: [] as number[][], perSecond: [] as number[] },
};
for (let warmUp = 0; warmUp < 3; warmUp++)
  for (const { ask } of [floor, bridge]) await oneByOne(ask).then(() => burst(ask));
for (let round = 0; round < rounds; round++) {
  for (const [name, { ask }] of round % 2 === 0
    ? ([
        ['floor', floor],
        ['bridge', bridge],
      ] as const)
    : ([
        ['bridge', bridge],
        ['floor', floor],
      ] as const)) {
    result[name].us.push(await oneByOne(ask));
    result[name].perSecond.push(await burst(ask));
  }
}
console.log(JSON.stringify(result));
await floor.close();
await bridge.close();
