/** A command line for each operation, for the tests of the commands. */

import type { OperationName } from '../../src/mesh/operations.ts';
import { type FakeMesh, inputs, peerId, taskId } from '../server/fake-mesh.ts';

const submitDefaults = {
  model_name: 'm',
  priority: 5,
  max_attempts: 3,
  backoff_s: 1,
  attempt_timeout_s: 3600,
  result_ttl_s: 604_800,
};

/** A command line for each operation, and the input that it must make. */
export const lines: { [Name in OperationName]: [argv: string[], input: Record<string, unknown>] } = {
  status: [
    ['status', '--detail', '--timeout-s', '2.5', '--peer', 'P'],
    { detail: true, timeout_s: 2.5, remote_peer_id: 'P' },
  ],
  submit: [
    [
      'submit',
      'text.stats',
      '{"text":"a"}',
      '--priority',
      '8',
      '--idempotency-key',
      'k',
      '--peer',
      '/ip4/1.2.3.4/tcp/1/p2p/P',
    ],
    {
      task_type: 'text.stats',
      payload: { text: 'a' },
      priority: 8,
      idempotency_key: 'k',
      remote_multiaddr: '/ip4/1.2.3.4/tcp/1/p2p/P',
    },
  ],
  submit_many: [
    ['submit-many', JSON.stringify([{ ...inputs.submit, ...submitDefaults }])],
    { tasks: [{ ...inputs.submit, ...submitDefaults }] },
  ],
  claim: [
    ['claim', 'a', 'b', '--wait-s', '5', '--worker-id', 'w'],
    { supported_task_types: ['a', 'b'], wait_s: 5, worker_id: 'w' },
  ],
  heartbeat: [['heartbeat', taskId, '3', '{"done":1}'], { task_id: taskId, fence: 3, progress: { done: 1 } }],
  complete: [['complete', taskId, '3', '[1]'], { task_id: taskId, fence: 3, result: [1] }],
  fail: [['fail', taskId, '3', 'broken', '--no-retry'], { task_id: taskId, fence: 3, error: 'broken', retry: false }],
  release: [['release', taskId, '3'], { task_id: taskId, fence: 3 }],
  cancel: [['cancel', taskId, 'not needed'], { task_id: taskId, reason: 'not needed' }],
  get: [['get', taskId], { task_id: taskId }],
  list: [
    ['list', '--status', 'failed', '--task-types', 'a,b', '--task-types=c', '--limit', '7'],
    { status: 'failed', task_types: ['a', 'b', 'c'], limit: 7 },
  ],
  wait: [['wait', taskId, '--timeout-s', '1'], { task_id: taskId, timeout_s: 1 }],
  retry: [['retry', taskId, '--delay-s', '60'], { task_id: taskId, delay_s: 60 }],
  peers: [['peers', '--connected-only'], { connected_only: true }],
  discover: [['discover', '--timeout-s', '1'], { timeout_s: 1 }],
  connect: [['connect', peerId], { remote_peer_id: peerId }],
  mcp_request: [
    ['mcp-request', 'tools/call', '{"name": "echo"}', '--peer', '12D3KooWx'],
    { method: 'tools/call', params: { name: 'echo' }, remote_peer_id: '12D3KooWx' },
  ],
  call_tool: [
    ['call', 'word_count', '{"text":"a"}', '--peer', 'P'],
    { tool_name: 'word_count', args: { text: 'a' }, remote_peer_id: 'P' },
  ],
  cache_get: [['cache', 'get', 'k'], { key: 'k' }],
  cache_set: [['cache', 'set', 'k', '"v"', '--ttl-s', '9'], { key: 'k', value: 'v', ttl_s: 9 }],
  cache_has: [['cache', 'has', 'k'], { key: 'k' }],
  cache_delete: [['cache', 'delete', 'k'], { key: 'k' }],
};

/** What the mesh was asked with its n-th call. */
export function inputOf({ calls }: FakeMesh, index: number): Record<string, unknown> {
  return (calls[index]?.input ?? {}) as Record<string, unknown>;
}
