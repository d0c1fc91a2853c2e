/**
 * A mesh for the server's tests: answers each operation with one valid output, remembers what it was asked, and lets a test
 * put its own behaviour in place of an answer.
 */

import { checked } from '../../src/mesh/checked.ts';
import type { CallOptions, Mesh, UncheckedMesh } from '../../src/mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../../src/mesh/operations.ts';
import type { ClaimedTask, Task } from '../../src/mesh/task.ts';

export const peerId = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
export const taskId = `0192f0c1a2b34c5d6e7f8091a2b3c4d5@${peerId}`;

export const exampleTask: Task = {
  task_id: taskId,
  task_type: 'text.stats',
  model_name: '',
  status: 'running',
  priority: 5,
  attempt: 1,
  max_attempts: 3,
  created_at: 1,
  updated_at: 2,
  next_attempt_at: null,
  started_at: 2,
  finished_at: null,
  expires_at: null,
  lease_until: 32,
  heartbeat_at: null,
  assigned_worker: 'w',
  assigned_peer: peerId,
  progress: null,
  error: null,
  idempotency_key: null,
};

const claimedTask: ClaimedTask = {
  ...exampleTask,
  payload: { text: 'a' },
  fence: 1,
  lease_s: 30,
  attempt_timeout_s: 0,
};

/** One valid output for each operation. */
export const outputs: { [Name in OperationName]: OperationOutput<Name> } = {
  status: {
    peer_id: peerId,
    version: '0.0.0',
    runtime: { name: 'test', version: '1' },
    layout: 'inline',
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    uptime_s: 1.5,
    connected_peers: 0,
    queue: { queued: 0, running: 1, completed: 0, failed: 0, cancelled: 0 },
    capabilities: { task_types: ['text.stats'], tools: [] },
  },
  submit: { task_id: taskId, status: 'queued', deduplicated: false },
  submit_many: { tasks: [{ task_id: taskId, status: 'queued', deduplicated: false }] },
  claim: { task: claimedTask },
  heartbeat: { task_id: taskId, lease_until: 33, lease_s: 30 },
  complete: { task_id: taskId, status: 'completed' },
  fail: { task_id: taskId, status: 'queued' },
  release: { task_id: taskId, status: 'queued' },
  cancel: { task_id: taskId, status: 'cancelled', cancelled: true },
  get: { task: { ...exampleTask, payload: [1, null, 'ü'] } },
  list: { tasks: [exampleTask], cursor: null },
  wait: { task: { ...exampleTask, status: 'completed', result: { words: 3 } }, done: true },
  retry: { task_id: taskId, status: 'queued' },
  peers: { peer_id: peerId, peers: [] },
  discover: { peers: [], attempts: [] },
  connect: { peer_id: peerId, multiaddr: '/ip4/127.0.0.1/tcp/1', duration_ms: 1 },
  call_tool: { tool: 'echo', result: 'x' },
  mcp_request: { peer_id: 'peer-b', result: { tools: [] } },
  cache_get: { key: 'k', hit: true, value: [1] },
  cache_set: { key: 'k' },
  cache_has: { key: 'k', hit: true },
  cache_delete: { key: 'k', deleted: true },
};

/** One valid input for each operation. */
export const inputs: { [Name in OperationName]: Record<string, unknown> } = {
  status: {},
  submit: { task_type: 'text.stats', payload: { text: 'a' } },
  submit_many: { tasks: [{ task_type: 'text.stats' }] },
  claim: { supported_task_types: ['text.stats'] },
  heartbeat: { task_id: taskId, fence: 1, progress: { done: 1 } },
  complete: { task_id: taskId, fence: 1, result: { words: 3 } },
  fail: { task_id: taskId, fence: 1, error: 'no' },
  release: { task_id: taskId, fence: 1 },
  cancel: { task_id: taskId },
  get: { task_id: taskId },
  list: {},
  wait: { task_id: taskId },
  retry: { task_id: taskId },
  peers: {},
  discover: {},
  connect: { remote_peer_id: peerId },
  call_tool: { tool_name: 'echo' },
  mcp_request: { method: 'tools/list', remote_peer_id: 'peer-b' },
  cache_get: { key: 'k' },
  cache_set: { key: 'k', value: [1] },
  cache_has: { key: 'k' },
  cache_delete: { key: 'k' },
};

export interface SeenCall {
  name: OperationName;
  input: unknown;
  options: CallOptions;
}

type Behaviour<Name extends OperationName> = (
  input: CheckedInput<Name>,
  options: CallOptions,
) => Promise<OperationOutput<Name>>;

export class FakeMesh implements UncheckedMesh {
  readonly calls: SeenCall[] = [];
  readonly mesh: Mesh = checked(this);
  readonly #behaviours = new Map<OperationName, Behaviour<OperationName>>();

  /** From now on the operation does this. */
  on<Name extends OperationName>(name: Name, behaviour: Behaviour<Name>): void {
    this.#behaviours.set(name, behaviour as unknown as Behaviour<OperationName>);
  }

  async call<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    options: CallOptions = {},
  ): Promise<OperationOutput<Name>> {
    this.calls.push({ name, input, options });
    const behaviour = this.#behaviours.get(name) as unknown as Behaviour<Name> | undefined;
    return behaviour === undefined ? outputs[name] : await behaviour(input, options);
  }

  subscribe(): () => void {
    return () => {};
  }
}

/** Resolves with the signal's reason when it aborts. */
export function aborted(signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) throw new Error('the call got no signal');
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));
}
