/** One good message of each kind that a peer may send on the carriage; what the fuzzed frames are made of. */

import { operationEntry, operationNames } from '../../src/mesh/operations.ts';
import { clientCapabilitiesKey, mcpRevision, protocolVersionKey } from '../../src/p2p/carriage.ts';
import { cancelledMethod, deadlineKey, progressMethod, progressTokenKey } from '../../src/rpc/message.ts';

const taskId = `${'0123456789abcdef'.repeat(2)}@12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust`;

/** Values for the fields of the operations, by name. */
const fields: Readonly<Record<string, unknown>> = {
  task_id: taskId,
  task_ids: [taskId],
  fence: 3,
  task_type: 'fuzz',
  supported_task_types: ['fuzz', 'other'],
  payload: { n: 1, text: 'two', list: [3, { four: null }] },
  result: { done: true },
  error: 'it broke',
  progress: { done: 1, of: 2 },
  key: 'a/key',
  value: { any: ['json'] },
  tool_name: 'fuzz',
  args: {},
  wait_s: 0.5,
  timeout_s: 0.5,
  lease_s: 5,
  limit: 10,
  worker_id: 'w',
  idempotency_key: 'k',
  tasks: [{ task_type: 'fuzz', payload: 1 }, { task_type: 'fuzz' }],
};

/** An input with a value for each field that the operation has and this file knows. */
export function inputOf(name: (typeof operationNames)[number]): Record<string, unknown> {
  const known = Object.keys(operationEntry(name).input.shape).filter((field) => Object.hasOwn(fields, field));
  return Object.fromEntries(known.map((field) => [field, fields[field]]));
}

export function carriageMessages(): object[] {
  const _meta = {
    [protocolVersionKey]: mcpRevision,
    [clientCapabilitiesKey]: {},
    [deadlineKey]: 1_000,
    [progressTokenKey]: 7,
  };
  const request = (method: string, params: object): object => ({
    jsonrpc: '2.0',
    id: 7,
    method,
    params: { ...params, _meta },
  });
  return [
    ...operationNames.map((name) =>
      request('tools/call', { name: operationEntry(name).tool, arguments: inputOf(name) }),
    ),
    request('tools/list', {}),
    request('server/discover', {}),
    request('initialize', { protocolVersion: '2025-11-25', clientInfo: { name: 'x', version: '1' }, capabilities: {} }),
    { jsonrpc: '2.0', method: cancelledMethod, params: { requestId: 7, reason: 'cancelled' } },
    { jsonrpc: '2.0', method: progressMethod, params: { progressToken: 7, progress: 1, message: 'half' } },
    { jsonrpc: '2.0', id: 7, result: { resultType: 'complete', content: [], structuredContent: { ok: true } } },
    { jsonrpc: '2.0', id: 7, error: { code: -32000, message: 'busy', data: { ok: false, error: 'busy' } } },
    { jsonrpc: '2.0', id: null, error: { code: -32003, message: 'invalid_json' } },
  ];
}

/** Beyond `largeFrameBytes`: such frames are parsed and served apart from the small ones. */
export function largeMessage(): object {
  const submit = carriageMessages().find((message) => JSON.stringify(message).includes('taskqueue_submit"'));
  const large = structuredClone(submit) as { params: { arguments: { payload: unknown } } };
  large.params.arguments.payload = 'x'.repeat(70_000);
  return large;
}
