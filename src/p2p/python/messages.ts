/** The Python node's wire: protocol ids, the session's messages as it writes them, and its error codes. */

import { version } from '../../mesh/build.ts';
import { carriageProtocol } from '../carriage.ts';
import { asciiJson, float } from './json.ts';

/** Frames of JSON; the same id as the carriage between taskmesh nodes, with another session on it. */
export const sessionProtocol = carriageProtocol;

/** One line of JSON each way. */
export const legacyProtocol = '/ipfs-datasets/task-queue/1.0.0';

/** The one tool that a session has. */
export const rpcTool = 'task_queue.rpc';

/** MCP's revision that the session follows. */
export const sessionRevision = '2024-11-05';

/** What can go wrong, in the wire's words. `closes`: the stream is of no use after it. */
export const refusals = {
  frame_too_large: { code: -32003, closes: true },
  invalid_json: { code: -32003, closes: true },
  invalid_message: { code: -32003, closes: true },
  rate_limited: { code: -32010, closes: true },
  unauthorized: { code: -32001, closes: true },
  invalid_jsonrpc: { code: -32600, closes: true },
  init_required: { code: -32000, closes: true },
  invalid_params: { code: -32602, closes: false },
  unknown_tool: { code: -32002, closes: false },
  invalid_arguments: { code: -32002, closes: false, message: 'invalid_params' },
  tool_error: { code: -32002, closes: false },
  method_not_found: { code: -32601, closes: false },
} as const satisfies Record<string, { code: number; closes: boolean; message?: string }>;

export type Refusal = keyof typeof refusals;

export type MessageId = string | number | null;

/** `detail` is only for what the wire has no word for: Python nodes send none, and read over it. */
export function refusalMessage(id: MessageId, refusal: Refusal, detail?: string): Record<string, unknown> {
  const { code } = refusals[refusal];
  const message = refusal === 'invalid_arguments' ? refusals[refusal].message : refusal;
  return { jsonrpc: '2.0', id, error: { code, message, ...(detail === undefined ? {} : { data: { detail } }) } };
}

export function resultMessage(id: MessageId, result: unknown): Record<string, unknown> {
  return { jsonrpc: '2.0', id, result };
}

export interface ClientInfo {
  readonly name: string;
  readonly version: string;
}

/** The first message of a session. */
export function initializeMessage(clientInfo: ClientInfo = { name: 'taskmesh', version }): Record<string, unknown> {
  const params = { clientInfo, profiles: ['mcp++/p2p-transport'] };
  return { jsonrpc: '2.0', id: 1, method: 'initialize', params };
}

/** The fields of an operation's request; durations as floats, the token last. */
export function rpcArguments(op: string, fields: Readonly<Record<string, unknown>>, token: string | undefined) {
  const timed = typeof fields.timeout_s === 'number' ? { ...fields, timeout_s: float(fields.timeout_s) } : fields;
  return { op, ...timed, ...(token === undefined ? {} : { token }) };
}

/** A call of the session's one tool. The first one has the id of `initialize` again, as Python's clients do. */
export function callMessage(id: number, rpc: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name: rpcTool, arguments: rpc } };
}

const headerBytes = 4;

/** A frame with its length in front, in ASCII as Python writes it; in UTF-8 when only that fits. Undefined: neither does. */
export function frameOf(message: unknown, maxFrameBytes: number): Uint8Array | undefined {
  const body = bodyOf(message, maxFrameBytes);
  if (body === undefined) return undefined;
  const frame = Buffer.allocUnsafe(headerBytes + body.byteLength);
  frame.writeUInt32BE(body.byteLength);
  frame.set(body, headerBytes);
  return frame;
}

/** The message's JSON within the limit, or undefined. */
export function bodyOf(message: unknown, maxBytes: number): Uint8Array | undefined {
  const ascii = asciiJson(message);
  if (ascii.length <= maxBytes) return Buffer.from(ascii, 'latin1');
  const utf8 = Buffer.from(JSON.stringify(message), 'utf8');
  return utf8.byteLength <= maxBytes ? utf8 : undefined;
}
