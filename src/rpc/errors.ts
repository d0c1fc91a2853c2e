/** How a `MeshError` crosses as a JSON-RPC error and comes out as itself. */

import { type ErrorCode, MeshError } from '../mesh/errors.ts';
import { type RpcFailure, rpcCodes } from './message.ts';

const ofStandardCode: ReadonlyMap<number, ErrorCode> = new Map([
  [rpcCodes.methodNotFound, 'unknown_operation'],
  [rpcCodes.invalidParams, 'invalid_params'],
  [rpcCodes.invalidRequest, 'invalid_message'],
  [-32001, 'unauthorized'],
  [rpcCodes.rateLimited, 'rate_limited'],
]);

const toStandardCode: Readonly<Record<string, number>> = {
  unknown_operation: rpcCodes.methodNotFound,
  invalid_params: rpcCodes.invalidParams,
  invalid_message: rpcCodes.invalidRequest,
  rate_limited: rpcCodes.rateLimited,
};

/** The wire form; the structured failure rides in `data`. */
export function failureOf(error: MeshError): RpcFailure['error'] {
  return { code: toStandardCode[error.code] ?? rpcCodes.meshError, message: error.message, data: error.toFailure() };
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
