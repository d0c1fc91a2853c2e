/** How a `MeshError` crosses as a JSON-RPC error and comes out as itself. */

import { type ErrorCode, MeshError } from '../mesh/errors.ts';
import { type RpcFailure, rpcCodes } from './message.ts';

const ofStandardCode: ReadonlyMap<number, ErrorCode> = new Map([
  [rpcCodes.methodNotFound, 'unknown_operation'],
  [rpcCodes.invalidParams, 'invalid_params'],
  [rpcCodes.invalidRequest, 'invalid_message'],
  [-32001, 'unauthorized'],
  [rpcCodes.rateLimited, 'rate_limited'],
  [rpcCodes.unsupportedVersion, 'protocol_mismatch'],
]);

const toStandardCode: Readonly<Record<string, number>> = {
  unknown_operation: rpcCodes.methodNotFound,
  invalid_params: rpcCodes.invalidParams,
  invalid_message: rpcCodes.invalidRequest,
  rate_limited: rpcCodes.rateLimited,
  protocol_mismatch: rpcCodes.unsupportedVersion,
};

/** The wire form; the structured failure rides in `data`. */
export function failureOf(error: MeshError): RpcFailure['error'] {
  const code = toStandardCode[error.code] ?? rpcCodes.meshError;
  const failure = error.toFailure();
  // MCP looks there for `supported` and `requested`.
  const data = code === rpcCodes.unsupportedVersion ? { ...error.details, ...failure } : failure;
  return { code, message: error.message, data };
}

/** The error as it was thrown on the far side; a foreign error becomes `peer_protocol_error` with the far side's text. */
export function meshErrorOf({ code, message, data }: RpcFailure['error']): MeshError {
  if (isFailure(data)) return MeshError.fromFailure(data);
  return new MeshError(
    ofStandardCode.get(code) ?? 'peer_protocol_error',
    `The far side answered error ${code}: ${message.slice(0, 500)}`,
  );
}

function isFailure(data: unknown): data is { error: string; message: string; retryable: boolean } {
  if (typeof data !== 'object' || data === null) return false;
  const { error, message, retryable } = data as Record<string, unknown>;
  return typeof error === 'string' && typeof message === 'string' && typeof retryable === 'boolean';
}
