/** Other libraries that call a function in another thread, each as its documentation shows, with one thread. */

import { MessageChannel, Worker } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import * as comlink from 'comlink';
import { Piscina } from 'piscina';
import { Tinypool } from 'tinypool';
import { currentRuntime } from '../runner/runtimes.ts';
import type { HopWay } from './hop-way.ts';

type Input = { key: string; value: string };
export interface Echo {
  echo(input: Input): Input;
}

const farSide = (name: string): URL => new URL(`../far-side/${name}`, import.meta.url);

export async function openPiscina(): Promise<HopWay> {
  const pool = new Piscina({ filename: farSide('echo-task.ts').href, minThreads: 1, maxThreads: 1 });
  return { ask: ({ input }) => pool.run(input), close: () => pool.destroy() };
}

/** Without Atomics on Deno: tinypool's thread says that it is ready and blocks at once, and Deno has not sent it yet. */
export async function openTinypool(): Promise<HopWay> {
  const useAtomics = currentRuntime !== 'deno';
  const pool = new Tinypool({ filename: farSide('echo-task.ts').href, minThreads: 1, maxThreads: 1, useAtomics });
  return { ask: ({ input }) => pool.run(input), close: () => pool.destroy() };
}

export async function openComlink(): Promise<HopWay> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(farSide('comlink-main.ts'), { workerData: { port: port2 }, transferList: [port2] });
  const far = comlink.wrap<Echo>(port1 as unknown as comlink.Endpoint);
  return { ask: async ({ input }) => await far.echo(input), close: () => worker.terminate() };
}

export async function openBirpc(): Promise<HopWay> {
  const worker = new Worker(farSide('birpc-main.ts'));
  const far = createBirpc<Echo>(
    {},
    { post: (data) => worker.postMessage(data), on: (listen) => void worker.on('message', listen) },
  );
  return { ask: async ({ input }) => await far.echo(input), close: () => worker.terminate() };
}
