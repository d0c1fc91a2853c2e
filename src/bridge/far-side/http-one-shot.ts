/**
 * One operation by one HTTP request, for curl and for scripts: `POST /rpc` with a JSON-RPC request, or `POST /rpc/<operation>`
 * with the operation's input. No hello, no session.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Mesh } from '../../mesh/mesh.ts';
import { isOperationName, operationNames } from '../../mesh/operations.ts';
import { failureOf } from '../../rpc/errors.ts';
import { kindOf, type RpcRequest } from '../../rpc/message.ts';
import { answerJson, readJson, statusOf } from './http-body.ts';

/** What one request is answered from. */
export interface OneShot {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly mesh: Mesh;
  readonly limits: Limits;
}

/** `POST /rpc`: answers the JSON-RPC response. */
export async function answerRequest(shot: OneShot): Promise<void> {
  let id: RpcRequest['id'] | null = null;
  try {
    const message = await readJson(shot.request, shot.limits);
    if (kindOf(message) !== 'request') {
      throw new MeshError(
        'invalid_message',
        'The body must be a JSON-RPC 2.0 request: {"jsonrpc":"2.0","id":1,"method":"status","params":{"input":{}}}.',
      );
    }
    const { method, params } = message as RpcRequest;
    id = (message as RpcRequest).id;
    answerJson(shot.response, 200, { jsonrpc: '2.0', id, result: await run(shot, method, params?.input ?? {}) });
  } catch (thrown) {
    const error = toMeshError(thrown);
    const status = id === null ? statusOf(error.toFailure()) : 200;
    answerJson(shot.response, status, { jsonrpc: '2.0', id, error: failureOf(error) });
  }
}

/** `POST /rpc/<operation>`: answers what the tool of the operation would. An empty body is an input without fields. */
export async function answerOperation(shot: OneShot, operation: string): Promise<void> {
  try {
    const input = await readJson(shot.request, shot.limits, {});
    answerJson(shot.response, 200, { ok: true, ...(await run(shot, operation, input)) });
  } catch (thrown) {
    const failure = toMeshError(thrown).toFailure();
    answerJson(shot.response, statusOf(failure), failure);
  }
}

/** Stops when the client goes away. */
async function run({ mesh, response }: OneShot, operation: string, input: unknown): Promise<object> {
  if (!isOperationName(operation)) {
    throw new MeshError(
      'unknown_operation',
      `There is no operation "${operation.slice(0, 100)}". There are: ${operationNames.join(', ')}.`,
    );
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return await mesh.call(operation, input as never, { signal: gone.signal });
}
