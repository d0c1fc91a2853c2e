/** Every call on the node passes here: to a peer, to a Python node, to all (a claim without a target), or to the node's own operations. */

import { getLogger } from '@logtape/logtape';
import type { Clock } from '../mesh/clock.ts';
import { deadlineOf } from '../mesh/deadline.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { CallOptions } from '../mesh/mesh.ts';
import type { ClaimRefusal } from '../mesh/operations/queue-work.ts';
import { type CheckedInput, type OperationName, type OperationOutput, operationEntry } from '../mesh/operations.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import { claimAnywhere } from './claim.ts';
import type { ClaimSource } from './claim-race.ts';
import type { LocalOperations } from './local-operations.ts';
import { passOn } from './mcp/pass-on.ts';
import type { Peer, PeerClient } from './peer-client.ts';
import type { PythonClient } from './python/python-client.ts';
import type { PeerLinks } from './reach/peer-links.ts';
import type { PeerWatch } from './reach/peer-watch.ts';
import { type ClaimTroubles, ownQueue, peerQueue } from './remote-claim.ts';
import { routeOf, targetOf } from './routing.ts';
import { withDeadline } from './with-deadline.ts';

const log = getLogger(['taskmesh', 'p2p', 'claim']);

export interface CallRouterOptions {
  peerId: string;
  operations: LocalOperations;
  client: PeerClient;
  links: PeerLinks;
  /** Calls on Python nodes, where some are named. */
  python?: PythonClient | undefined;
  watch: PeerWatch;
  clock: Clock;
  limits: Pick<Limits, 'callDeadlineMs'>;
}

export class CallRouter {
  readonly #options: CallRouterOptions;
  #claims = 0;

  constructor(options: CallRouterOptions) {
    this.#options = options;
  }

  async call<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions = {},
  ): Promise<OperationOutput<Name>> {
    if (name === 'mcp_request') {
      const { links, peerId } = this.#options;
      return (await passOn(links, peerId, input as CheckedInput<'mcp_request'>, options)) as OperationOutput<Name>;
    }
    const { python } = this.#options;
    if (python !== undefined) {
      const pythonPeer = await python.meant(name, input);
      if (pythonPeer !== undefined) return python.call(pythonPeer, name, input, options);
    }
    const peer = routeOf(name, input, this.#options.peerId);
    if (name === 'claim')
      return (await this.#claim(peer, input as CheckedInput<'claim'>, options)) as OperationOutput<Name>;
    if (peer === undefined) {
      const answer = this.#local(name, input, options);
      return python === undefined ? answer : python.nodes.shown(name, input, answer, options.signal);
    }
    const { signal, onProgress } = options;
    const deadlineMs = options.deadlineMs ?? deadlineOf(name, input, this.#options.limits);
    return this.#options.client.call(peer, name, input, { deadlineMs, signal, onProgress });
  }

  #local<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions,
  ): Promise<OperationOutput<Name>> {
    const { operations, peerId, clock } = this.#options;
    const { signal, onProgress, deadlineMs = deadlineOf(name, input, this.#options.limits) } = options;
    // What does not wait ends by itself, soon: a timer for each of these calls would cost more than it saves.
    if (operationEntry(name).waitMs === undefined)
      return operations.call(name, input, { caller: peerId, signal, onProgress });
    return withDeadline(
      { clock, deadlineMs, signal },
      (stop) => operations.call(name, input, { caller: peerId, signal: stop, onProgress }),
      () => lateError(name, deadlineMs),
    );
  }

  async #claim(
    peer: Peer | undefined,
    input: CheckedInput<'claim'>,
    options: CallOptions,
  ): Promise<OperationOutput<'claim'>> {
    const { operations, peerId, python, clock } = this.#options;
    const { signal, deadlineMs = deadlineOf('claim', input, this.#options.limits) } = options;
    const waitMs = input.wait_s * 1000;
    /** The last word of each peer that was asked. */
    const refusals = new Map<string, ClaimRefusal>();
    const heard: ClaimTroubles = {
      ...troubles,
      heard: (id, refusal) => void (refusal === undefined ? refusals.delete(id) : refusals.set(id, refusal)),
    };
    const own = ownQueue(operations, peerId, input, heard);
    const source = (queue: Peer): ClaimSource => peerQueue(this.#options.client, queue, input, heard);
    const only = peer !== undefined ? source(peer) : targetOf(input) !== undefined ? own : undefined;
    const giveBack = (task: ClaimedTask | null): void => {
      if (task === null) return;
      const owner = ownerOf(task);
      const queue = owner.peerId === peerId ? own : (python?.queueOf(task, input, heard) ?? source(owner));
      queue.giveBack(task);
    };
    const others = (): ClaimSource[] => [
      ...this.#options.watch.meshPeers().map((id) => source({ peerId: id, addresses: [] })),
      ...(python?.queues(input, heard) ?? []),
    ];
    const task = await withDeadline(
      { clock, deadlineMs, signal, dropped: giveBack },
      (stop) =>
        only !== undefined
          ? only.claim({ waitMs, deadlineMs, signal: stop })
          : claimAnywhere({
              clock,
              waitMs,
              signal: stop,
              own,
              peers: () => this.#inTurn(others()),
              onPeer: (joined) => this.#options.watch.onMeshPeer((id) => joined(source({ peerId: id, addresses: [] }))),
            }),
      () => lateError('claim', deadlineMs),
    );
    return task !== null || refusals.size === 0 ? { task } : { task, refused: [...refusals.values()] };
  }

  /** Each claim begins with another queue, so that none is drained, and none asked, more than the others. */
  #inTurn(queues: ClaimSource[]): ClaimSource[] {
    const from = queues.length === 0 ? 0 : this.#claims++ % queues.length;
    return [...queues.slice(from), ...queues.slice(0, from)];
  }
}

const troubles: ClaimTroubles = {
  notGivenBack: (taskId, error) =>
    log.warn('Task {taskId}, claimed for a caller who had given up, could not be given back: {error}', {
      taskId,
      error,
    }),
};

function ownerOf({ task_id }: ClaimedTask): Peer {
  return { peerId: task_id.slice(task_id.indexOf('@') + 1), addresses: [] };
}

function lateError(name: OperationName, deadlineMs: number): MeshError {
  return new MeshError(
    'timeout',
    `${name} did not end within ${deadlineMs} ms; the work may or may not have been done. Look, then try again.`,
  );
}
