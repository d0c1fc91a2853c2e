/**
 * The `worker` layout: the P2P node in one long-lived thread of its own; every call hops.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import { MeshError } from '../mesh/errors.ts';
import { Listeners } from '../mesh/listeners.ts';
import type { RunningMesh } from '../mesh/mesh.ts';
import { messagePortChannel } from './message-port-channel.ts';
import { type NearSide, nearSide } from './near-side.ts';

export interface WorkerMeshOptions {
  /** Handed to the node as it is; it must survive a structured clone. */
  node: unknown;
  logLevel: string;
  /** The thread ended although nobody stopped it. */
  onDown(cause: Error): void;
  /** Another far side, for tests and benchmarks. */
  main?: URL;
}

export function workerMesh(options: WorkerMeshOptions): RunningMesh {
  const main = options.main ?? new URL('./far-side/worker-main.ts', import.meta.url);
  const listeners = new Listeners((wanted) => life?.near.watch(wanted));
  let life: { near: NearSide; worker: Worker } | undefined;
  let stopped: Promise<void> | undefined;

  const near = (): NearSide => {
    if (life === undefined || stopped) throw new MeshError('mesh_down', 'The P2P thread is not running.');
    return life.near;
  };

  const mesh: RunningMesh = {
    async start() {
      if (life !== undefined) throw new MeshError('wrong_state', 'The P2P thread was started before.');
      const { port1, port2 } = new MessageChannel();
      const worker = new Worker(main, {
        workerData: { port: port2, logLevel: options.logLevel },
        transferList: [port2],
      });
      const side = nearSide(messagePortChannel(port1), (event) => listeners.emit(event));
      let gone = false;
      const down = (cause: Error): void => {
        side.close(cause);
        if (!gone && stopped === undefined) options.onDown(cause);
        gone = true;
      };
      worker.on('error', (cause) => down(cause instanceof Error ? cause : new Error(String(cause))));
      worker.on('exit', (code) => down(new Error(`The P2P thread ended with exit code ${code}.`)));
      life = { near: side, worker };
      try {
        await side.start(options.node);
        if (listeners.size > 0) side.watch(true);
      } catch (error) {
        await mesh.stop();
        throw error;
      }
    },
    stop() {
      stopped ??= (async () => {
        if (life === undefined) return;
        await life.near.stop();
        await life.worker.terminate();
      })();
      return stopped;
    },
    async call(name, input, callOptions) {
      return near().call(name, input, callOptions);
    },
    subscribe: (listener) => listeners.add(listener),
    [Symbol.asyncDispose]: () => mesh.stop(),
  };
  return mesh;
}
