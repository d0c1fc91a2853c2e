/**
 * The node: a `RunningMesh` with a life of its own. Made by the bridge's far side, inline or in a thread; started and stopped
 * once.
 */

import { type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { Listeners } from '../mesh/listeners.ts';
import type { RunningMesh } from '../mesh/mesh.ts';
import { type OpenNode, openNode } from './open-node.ts';
import type { NodeDependencies, NodeOptions } from './options.ts';

export interface Node extends RunningMesh {
  /** Known from `start` on; empty before. */
  readonly peerId: string;
  /** Multiaddrs at which the node listens, from `start` on. */
  readonly addresses: string[];
  /** How many carriage streams are open with which peer: one each, unless both sides opened one at the same moment. */
  carriageStreams(): Record<string, number>;
}

/**
 * `start` rejects with `data_folder_locked`, `data_corrupt`, `storage_failed`, `invalid_config`, `invalid_multiaddr` or `address_in_use`; nothing
 * is left open then. `stop` takes no longer than 2 s.
 */
export function createNode(options: NodeOptions, dependencies: NodeDependencies = {}): Node {
  const clock: Clock = dependencies.clock ?? systemClock;
  const random = dependencies.random ?? Math.random;
  const listeners = new Listeners();
  let opening: Promise<OpenNode> | undefined;
  let open: OpenNode | undefined;
  let stopped: Promise<void> | undefined;

  const running = (): OpenNode => {
    if (open !== undefined && stopped === undefined) return open;
    const why = stopped === undefined ? 'is not running yet' : 'has stopped';
    throw new MeshError('mesh_down', `The P2P node ${why}. Try again when it runs.`);
  };

  const node: Node = {
    get peerId() {
      return open?.peerId ?? '';
    },
    get addresses() {
      return open?.addresses() ?? [];
    },
    carriageStreams: () => open?.carriageStreams() ?? {},
    async start() {
      if (opening !== undefined || stopped !== undefined) {
        throw new MeshError('wrong_state', 'The node was started before; make a new one.');
      }
      opening = openNode({ options, clock, random, emit: (event) => listeners.emit(event) });
      open = await opening;
    },
    stop() {
      stopped ??= (async () => {
        // A start that is under way is let through to its end, which is known to be clean.
        const started = await opening?.catch(() => undefined);
        await started?.close();
      })();
      return stopped;
    },
    async call(name, input, callOptions) {
      return running().call(name, input, callOptions);
    },
    subscribe: (listener) => listeners.add(listener),
    [Symbol.asyncDispose]: () => node.stop(),
  };
  return node;
}
