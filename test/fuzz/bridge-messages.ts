/** One good message of each kind that a server may send to a P2P service; what the fuzzed frames are made of. */

import { spoken, verbs } from '../../src/bridge/protocol.ts';
import { operationNames } from '../../src/mesh/operations.ts';
import { inputOf } from './carriage-messages.ts';

const request = (method: string, params: object): object => ({ jsonrpc: '2.0', id: 5, method, params });
export const hello = request(verbs.hello, { ...spoken, build: 'fuzz' });

export const bridgeMessages: readonly object[] = [
  hello,
  request(verbs.ping, {}),
  request(verbs.subscribe, { on: true }),
  ...operationNames.map((name) => request(name, { input: inputOf(name), _meta: { 'taskmesh/deadlineMs': 100 } })),
  // As they come on a socket.
  ...operationNames.map((name) => [0, 5, name, inputOf(name), 100, true]),
  [1, 5, {}],
  { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5, reason: 'cancelled' } },
  { jsonrpc: '2.0', id: 5, result: {} },
  { jsonrpc: '2.0', id: 5, error: { code: -32000, message: 'busy', data: { ok: false, error: 'busy' } } },
];
