/** A node that does what the key it is asked for says: for the tests of the bridge alone. */

import process from 'node:process';
import { MeshError } from '../../../src/mesh/errors.ts';
import { Listeners } from '../../../src/mesh/listeners.ts';
import type { CallOptions, RunningMesh } from '../../../src/mesh/mesh.ts';

export interface ScriptedOptions {
  /** Does not start. */
  refuse?: boolean;
}

export function scriptedNode({ refuse = false }: ScriptedOptions = {}): RunningMesh {
  const listeners = new Listeners();
  let waiting = 0;

  function untilAborted(signal: AbortSignal | undefined): Promise<never> {
    waiting++;
    return new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => {
        waiting--;
        reject(signal.reason);
      });
    });
  }

  async function act(input: { key: string; value?: unknown }, options: CallOptions | undefined): Promise<unknown> {
    switch (input.key) {
      case 'echo':
        return { key: 'echo', hit: true, value: input.value };
      case 'wait':
        return untilAborted(options?.signal);
      case 'waiting':
        return { key: 'waiting', hit: true, value: waiting };
      case 'refuse':
        throw new MeshError('queue_full', 'The queue is full.', { details: { max: 3 } });
      case 'uncloneable':
        return { key: 'uncloneable', hit: true, value: () => 1 };
      case 'progress':
        for (const step of [1, 2, 3]) {
          options?.onProgress?.({ task_id: 't', status: 'running', attempt: 1, progress: step });
        }
        return { key: 'progress', hit: true, value: null };
      case 'event':
        for (const step of [1, 2, 3]) {
          listeners.emit({ type: 'task', task_id: 't', task_type: 'x', status: 'running', attempt: step });
        }
        return { key: 'event', hit: true, value: listeners.size };
      case 'throw':
        queueMicrotask(() => {
          throw new Error('a fault in the thread');
        });
        return untilAborted(undefined);
      case 'exit':
        return process.exit(3);
      default:
        throw new MeshError('invalid_params', input.key);
    }
  }

  const mesh: RunningMesh = {
    async start() {
      if (refuse) throw new MeshError('data_folder_locked', 'Another node holds it.');
    },
    stop: async () => {},
    call: (_name, input, callOptions) => act(input as { key: string }, callOptions) as never,
    subscribe: (listener) => listeners.add(listener),
    [Symbol.asyncDispose]: async () => {},
  };
  return mesh;
}
