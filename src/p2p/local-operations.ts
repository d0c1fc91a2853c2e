/**
 * Every operation as this node serves it itself, for its own callers and for peers alike. Nothing here asks another node.
 * The queue knows local ids; the outside sees ids that name their owner.
 */

import { getLogger } from '@logtape/logtape';
import type { Cache } from '../cache/cache.ts';
import { MeshError } from '../mesh/errors.ts';
import type { TaskProgress, UncheckedMesh } from '../mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import { joinTaskId, splitTaskId } from '../mesh/task.ts';
import type { CallContext, Queue } from '../queue/queue.ts';
import { refusalOf } from './claim-refusal.ts';
import type { Network } from './reach/network.ts';
import { refuseThirdNode } from './routing.ts';
import type { StatusReport } from './status.ts';
import { type ToolRegistry, unknownTool } from './tools.ts';
import { grantedTools } from './trust/grant.ts';
import type { Permit } from './trust/permit.ts';
import { type Parties, withRemedy } from './trust/remedy.ts';

const log = getLogger(['taskmesh', 'p2p']);

export interface LocalParts {
  peerId: string;
  queue: Queue;
  cache: Cache;
  tools: ToolRegistry;
  network: Network;
  status: StatusReport;
}

type Table = {
  [Name in OperationName]: (input: CheckedInput<Name>, context: CallContext) => Promise<OperationOutput<Name>>;
};

export class LocalOperations {
  readonly #parts: LocalParts;
  readonly #table: Table;

  constructor(parts: LocalParts) {
    this.#parts = parts;
    this.#table = this.#makeTable(parts);
  }

  call<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    context: CallContext,
  ): Promise<OperationOutput<Name>> {
    return this.#table[name](input, context);
  }

  /** The operations in the name of one peer: leases belong to it, and it may do what its permit allows. Has no events. */
  inTheNameOf(caller: string, permit: Permit): UncheckedMesh {
    return {
      call: async (name, input, { signal, onProgress } = {}) => {
        const parties = { ownPeerId: this.#parts.peerId, peerId: caller };
        try {
          refuseThirdNode(input, parties.ownPeerId);
          return await permit.run(name, input, {
            signal,
            call: async (stop, { input: allowed, mustBe, leftOut }) => {
              const output = await this.call(name, allowed, { caller, mustBe, signal: stop, onProgress });
              const shown = permit.shown(name, output);
              if (leftOut === undefined || (shown as OperationOutput<'claim'>).task !== null) return shown;
              return { ...shown, refused: [refusalOf(parties.ownPeerId, withRemedy(leftOut, parties))] };
            },
            look: (mustBe) => this.#look(input, { caller, mustBe }),
          });
        } catch (thrown) {
          const error = thrown instanceof MeshError ? this.#told(thrown, input, permit, parties) : thrown;
          if (error instanceof MeshError) permit.refused(error);
          // The peer is told no more than that something failed; why is for this node's operator.
          if (!(error instanceof MeshError))
            log.error('{name} failed for peer {caller}: {error}', { name, caller, error });
          throw error;
        }
      },
      subscribe: () => () => {},
    };
  }

  /** What a peer is told of an error: what would help, and no more of this node than it may know. */
  #told(error: MeshError, input: Record<string, unknown>, permit: Permit, parties: Parties): MeshError {
    if (error.code === 'data_corrupt' || error.code === 'storage_failed') return atItsDisk(error);
    if (error.code !== 'unknown_tool') return withRemedy(error, parties);
    return unknownTool(String(input.tool_name), grantedTools(permit.grant(), this.#parts.tools.names));
  }

  /** Rejects with `unauthorized` when the caller may not look at the task that a call names. */
  async #look(input: Record<string, unknown>, context: CallContext): Promise<void> {
    const { task_id } = input;
    if (typeof task_id === 'string')
      await this.call('get', { task_id, remote_peer_id: '', remote_multiaddr: '' }, context);
  }

  #makeTable({ queue, cache, tools, network, status }: LocalParts): Table {
    return {
      status: (input, { caller }) => status.status(input, caller),
      submit: async (input, context) => this.#full(await queue.submit(input, context)),
      submit_many: async (input, context) => {
        const { tasks } = await queue.submitMany(input, context);
        return { tasks: tasks.map((task) => this.#full(task)) };
      },
      claim: async (input, context) => {
        const { task } = await queue.claim(input, context);
        return { task: task && this.#full(task) };
      },
      heartbeat: async (input, context) => this.#full(await queue.heartbeat(this.#own(input), context)),
      complete: async (input, context) => this.#full(await queue.complete(this.#own(input), context)),
      fail: async (input, context) => this.#full(await queue.fail(this.#own(input), context)),
      release: async (input, context) => this.#full(await queue.release(this.#own(input), context)),
      cancel: async (input, context) => this.#full(await queue.cancel(this.#own(input), context)),
      retry: async (input, context) => this.#full(await queue.retry(this.#own(input), context)),
      get: async (input, context) => ({ task: this.#full((await queue.get(this.#own(input), context)).task) }),
      list: async (input, context) => {
        const { tasks, cursor } = await queue.list(input, context);
        return { tasks: tasks.map((task) => this.#full(task)), cursor };
      },
      wait: async (input, context) => {
        const { onProgress } = context;
        const { task, done } = await queue.wait(this.#own(input), {
          ...context,
          onProgress: onProgress && ((progress: TaskProgress) => onProgress(this.#full(progress))),
        });
        return { task: this.#full(task), done };
      },
      peers: (input) => network.peers(input),
      discover: (input, { signal }) => network.discover(input, signal),
      connect: (input, { signal }) => network.connect(input, signal),
      call_tool: async ({ tool_name, args, timeout_s }, { signal, onProgress }) => ({
        tool: tool_name,
        result: await tools.call(tool_name, { args, timeoutMs: timeout_s * 1000, signal, onProgress }),
      }),
      mcp_request: async () => {
        throw new MeshError('unknown_operation', 'A node hands no request on for a peer; ask the other node yourself.');
      },
      cache_get: async (input) => cache.get(input),
      cache_set: async (input) => cache.set(input),
      cache_has: async (input) => cache.has(input),
      cache_delete: async (input) => cache.delete(input),
    };
  }

  #full<Named extends { task_id: string }>(named: Named): Named {
    return { ...named, task_id: joinTaskId(named.task_id, this.#parts.peerId) };
  }

  /** Peers are told the owner by the id; one that asks another node has the wrong one. */
  #own<Named extends { task_id: string }>(input: Named): Named {
    const { local, owner } = splitTaskId(input.task_id);
    if (owner === undefined || owner === this.#parts.peerId) return { ...input, task_id: local };
    throw new MeshError('task_not_found', `This node does not own the task; ask its owner, ${owner}.`);
  }
}

/** Paths of this machine are nobody else's business; its log has them. */
function atItsDisk({ code, details }: MeshError): MeshError {
  const what = {
    data_corrupt:
      'A part of the task is missing or damaged on the disk of its node, whose operator finds the file in its log.',
    storage_failed:
      'The disk of that node refused it, and nothing was changed; its operator finds why in its log. Try again later.',
  }[code as 'data_corrupt' | 'storage_failed'];
  const { task_id } = details ?? {};
  return new MeshError(code, what, task_id === undefined ? {} : { details: { task_id } });
}
