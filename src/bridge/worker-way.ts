/** The `worker` layout: the P2P node in one long-lived thread; every call hops through a MessagePort. */

import { MessageChannel, Worker } from 'node:worker_threads';
import type { FarSideLife, FarSideWay } from './far-side-life.ts';
import { messagePortChannel } from './message-port-channel.ts';
import { nearSide } from './near-side.ts';
import { defaultPatience } from './patience.ts';
import { verbs } from './protocol.ts';

/** How long a node may take to stop, in milliseconds. */
const stopDeadlineMs = 3_000;

export interface WorkerWayOptions {
  /** Handed to the node as it is; it must survive a structured clone. */
  node: unknown;
  logLevel: string;
  /** Another far side, for tests and benchmarks. */
  main?: URL;
}

export function workerWay({ node, logLevel, main }: WorkerWayOptions): FarSideWay {
  const file = main ?? new URL('./far-side/worker-main.ts', import.meta.url);
  return {
    layout: 'worker',
    owned: true,
    async open({ onEvent }, signal) {
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(file, { workerData: { port: port2, logLevel }, transferList: [port2] });
      const ended = Promise.withResolvers<Error>();
      const near = nearSide(messagePortChannel(port1), { onEvent });
      worker.on('error', (cause) => ended.resolve(cause instanceof Error ? cause : new Error(String(cause))));
      worker.on('exit', (code) => ended.resolve(new Error(`The P2P thread ended with exit code ${code}.`)));
      void ended.promise.then((cause) => near.close(cause));

      const kill = async (): Promise<void> => {
        near.close();
        await worker.terminate();
      };
      const life: FarSideLife = {
        near,
        ended: ended.promise,
        kill,
        async stop() {
          await near.ask(verbs.stop, {}, stopDeadlineMs).catch(() => {});
          await kill();
        },
      };
      const giveUp = (): void => void kill();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        await near.hello(undefined, defaultPatience.startMs);
        await near.ask(verbs.start, { options: node }, defaultPatience.startMs);
        return life;
      } catch (error) {
        await kill();
        throw signal.aborted ? signal.reason : error;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
  };
}
