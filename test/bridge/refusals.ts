/** What every layout must refuse, and with which code: cases of the conformance suite. */

import type { Mesh } from '../../src/mesh/mesh.ts';

/** A well-formed peer id that no node has. */
export const peerIdOfNobody = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
const missing = '0'.repeat(32);

export const refusals: [what: string, code: string, act: (mesh: Mesh) => Promise<unknown>][] = [
  ['an unknown field', 'invalid_params', (mesh) => mesh.call('get', { task_id: missing, nope: 1 } as never)],
  ['a wrong type', 'invalid_params', (mesh) => mesh.call('list', { limit: 'many' } as never)],
  [
    'nesting of 65 levels',
    'too_deep',
    (mesh) => mesh.call('submit', { payload: JSON.parse('['.repeat(65) + ']'.repeat(65)) }),
  ],
  ['a payload of 10 MiB', 'payload_too_large', (mesh) => mesh.call('submit', { payload: 'x'.repeat(10 << 20) })],
  ['a task that is not there', 'task_not_found', (mesh) => mesh.call('get', { task_id: missing })],
  [
    'a stale fence',
    'stale_fence',
    async (mesh) => {
      const { task_id } = await mesh.call('submit', { task_type: 'stale' });
      const { task } = await mesh.call('claim', { supported_task_types: ['stale'] });
      return mesh.call('complete', { task_id, fence: (task?.fence ?? 0) + 1 });
    },
  ],
  [
    'a heartbeat for a cancelled task',
    'task_cancelled',
    async (mesh) => {
      const { task_id } = await mesh.call('submit', { task_type: 'cancelled' });
      const { task } = await mesh.call('claim', { supported_task_types: ['cancelled'] });
      await mesh.call('cancel', { task_id });
      return mesh.call('heartbeat', { task_id, fence: task?.fence ?? 0 });
    },
  ],
  [
    'a retry of a queued task',
    'wrong_state',
    async (mesh) => mesh.call('retry', { task_id: (await mesh.call('submit', { task_type: 't' })).task_id }),
  ],
  [
    'other work under a used idempotency key',
    'idempotency_conflict',
    async (mesh) => {
      await mesh.call('submit', { task_type: 't', payload: 1, idempotency_key: 'k' });
      return mesh.call('submit', { task_type: 't', payload: 2, idempotency_key: 'k' });
    },
  ],
  [
    'a multiaddr that is none',
    'invalid_multiaddr',
    (mesh) => mesh.call('connect', { remote_multiaddr: '/ip4/nowhere' }),
  ],
  ['a peer id that is none', 'invalid_peer_id', (mesh) => mesh.call('status', { remote_peer_id: 'nobody' })],
  [
    'a peer of which nothing is known',
    'peer_not_found',
    (mesh) => mesh.call('status', { remote_peer_id: peerIdOfNobody }),
  ],
  [
    'a peer that is gone',
    'peer_unreachable',
    (mesh) => mesh.call('status', { remote_multiaddr: `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOfNobody}` }),
  ],
  ['a tool that is not offered', 'unknown_tool', (mesh) => mesh.call('call_tool', { tool_name: 'nope' })],
  ['a tool that throws', 'tool_error', (mesh) => mesh.call('call_tool', { tool_name: 'throws' })],
  ['a tool that takes too long', 'timeout', (mesh) => mesh.call('call_tool', { tool_name: 'sleeps', timeout_s: 0.05 })],
];
