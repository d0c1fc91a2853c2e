/**
 * JSON-RPC errors as HTTP responses, for what is refused before the MCP SDK sees it. Used by the guards, the body reader and
 * the endpoint.
 */

/** Codes of JSON-RPC 2.0 §5.1, and the one that MCP's HTTP transport uses for refusals of its own. */
export const rpcCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  refused: -32000,
  sessionNotFound: -32001,
} as const;

interface RpcRefusal {
  /** HTTP status. */
  readonly status: number;
  readonly code: number;
  /** What happened, why, and what to do next. */
  readonly message: string;
  readonly data?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
}

/** `id` is null: whoever refuses before the message is read does not know it. */
export function refuse(refusal: RpcRefusal): Response {
  const { code, message, data } = refusal;
  const error = data === undefined ? { code, message } : { code, message, data };
  return Response.json(
    { jsonrpc: '2.0', error, id: null },
    { status: refusal.status, ...(refusal.headers ? { headers: refusal.headers } : {}) },
  );
}

/** For what comes while the server ends. */
export function stopping(): Response {
  const message = 'The node is stopping. Try again when it runs.';
  const data = { ok: false, error: 'mesh_down', message, retryable: true };
  return refuse({ status: 503, code: rpcCodes.refused, message, data, headers: { 'Retry-After': '5' } });
}
