/**
 * The messages of the one RPC: JSON-RPC 2.0, with MCP's conventions for cancellation and progress.
 *
 * The bridge sends them through a MessagePort as objects, peers send them through a libp2p stream as JSON frames.
 * Source: https://www.jsonrpc.org/specification and the MCP specification, "cancellation" and "progress".
 */

export type RpcId = number | string;

/** Parameters are always an object; `_meta` carries what belongs to the call and not to the operation. */
export type RpcParams = Record<string, unknown> & { _meta?: Record<string, unknown> };

export interface RpcRequest {
  jsonrpc: '2.0';
  id: RpcId;
  method: string;
  params: RpcParams;
}

export interface RpcNotification {
  jsonrpc: '2.0';
  method: string;
  params: RpcParams;
}

export interface RpcResult {
  jsonrpc: '2.0';
  id: RpcId;
  result: unknown;
}

export interface RpcFailure {
  jsonrpc: '2.0';
  id: RpcId | null;
  error: { code: number; message: string; data?: unknown };
}

export type RpcMessage = RpcRequest | RpcNotification | RpcResult | RpcFailure;

export const cancelledMethod = 'notifications/cancelled';
export const progressMethod = 'notifications/progress';

/** Key in `_meta`: milliseconds that the caller will wait. The far side stops by itself when they are over. */
export const deadlineKey = 'taskmesh/deadlineMs';

/** Key in `_meta`, from MCP: the caller wants progress; the value is the request's id. */
export const progressTokenKey = 'progressToken';

/**
 * Error codes of JSON-RPC 2.0, section 5.1; -32000 carries a `Failure` of ours as `data`, -32010 is the carriage's own: over the
 * quota, -32022 is MCP's: an unsupported protocol version.
 */
export const rpcCodes = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  meshError: -32000,
  rateLimited: -32010,
  unsupportedVersion: -32022,
} as const;

/** Sorts what came in. Answers undefined when it is no message of this protocol. */
export function kindOf(message: unknown): 'request' | 'notification' | 'response' | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const { jsonrpc, id, method, params } = message as Record<string, unknown>;
  if (jsonrpc !== '2.0') return undefined;
  if (typeof method === 'string') {
    if (params !== undefined && (typeof params !== 'object' || params === null || Array.isArray(params)))
      return undefined;
    if (id === undefined) return 'notification';
    return typeof id === 'number' || typeof id === 'string' ? 'request' : undefined;
  }
  if (typeof id !== 'number' && typeof id !== 'string' && id !== null) return undefined;
  return 'result' in message || isRpcError((message as { error?: unknown }).error) ? 'response' : undefined;
}

function isRpcError(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    typeof (error as { code?: unknown }).code === 'number' &&
    typeof (error as { message?: unknown }).message === 'string'
  );
}
