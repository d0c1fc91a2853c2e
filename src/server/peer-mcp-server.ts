/**
 * A peer as an MCP server of this machine: the SDK's server object, whose two handlers hand each request on through the mesh. Made
 * for `taskmesh proxy`, by standard input and output or by loopback HTTP. It holds no state of its own.
 */

import {
  type CallToolResult,
  type Implementation,
  type ListToolsResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { type ErrorCode, type MeshError, toMeshError } from '../mesh/errors.ts';
import type { CallOptions, Mesh } from '../mesh/mesh.ts';
import type { OperationInput } from '../mesh/operations.ts';
import { progressNotifier } from '../mesh/progress.ts';
import { rpcCodes } from './json-rpc.ts';
import { ProgressFlow } from './progress.ts';

/** As long as an operation may wait, in seconds: the client's own limit ends a call sooner. */
const longestCallS = 600;

/** How long the peer may take to list its tools, in seconds. */
const longestListS = 30;

/** Which peer, as the mesh's operations name it. */
export interface PeerTarget {
  readonly remote_peer_id?: string;
  readonly remote_multiaddr?: string;
}

export interface PeerMcpSources {
  readonly mesh: Mesh;
  readonly peer: PeerTarget;
  /** What clients are told about the server. */
  readonly info: Implementation;
  readonly instructions?: string | undefined;
  /** The flow of the response that answers a request; undefined: each call has a flow of its own. */
  flowOf?(request: Request | undefined): ProgressFlow | undefined;
}

/** Makes a function that makes servers, one per connection, session or request. */
export function peerMcpServerFactory(sources: PeerMcpSources): () => Server {
  const { mesh, peer, info, instructions } = sources;
  const options = { capabilities: { tools: {} }, ...(instructions === undefined ? {} : { instructions }) };
  return () => {
    const server = new Server(info, options);
    server.setRequestHandler('tools/list', async ({ params }, context) => {
      const page = params?.cursor === undefined ? {} : { cursor: params.cursor };
      const input = { method: 'tools/list', params: page, timeout_s: longestListS, ...peer } as const;
      const { tools, nextCursor } = await handOn(mesh, input, { signal: context.mcpReq.signal }).catch((thrown) => {
        throw protocolError(toMeshError(thrown));
      });
      return { tools: tools ?? [], ...(nextCursor === undefined ? {} : { nextCursor }) } as ListToolsResult;
    });
    server.setRequestHandler('tools/call', ({ params }, context) => callTool(sources, params, context));
    return server;
  };
}

async function callTool(
  { mesh, peer, flowOf }: PeerMcpSources,
  { name, arguments: args }: { name: string; arguments?: Record<string, unknown> | undefined },
  context: ServerContext,
): Promise<CallToolResult> {
  const token = context.mcpReq._meta?.progressToken;
  const flow = flowOf === undefined ? new ProgressFlow() : flowOf(context.http?.req);
  const options: CallOptions = { signal: context.mcpReq.signal };
  if (token !== undefined && flow !== undefined) {
    const paramsOf = progressNotifier();
    options.onProgress = (progress) =>
      flow.offer(token, () => {
        const params = { ...paramsOf(progress), progressToken: token };
        const sent = context.mcpReq.notify({ method: 'notifications/progress', params });
        // The client went away; the call itself hears it by its signal. Without a response of its own, the next may follow now.
        sent.catch(() => {}).then(() => flowOf === undefined && flow.want());
      });
  }
  const params = { name, ...(args === undefined ? {} : { arguments: args }) };
  const input = { method: 'tools/call', params, timeout_s: longestCallS, ...peer } as const;
  try {
    return (await handOn(mesh, input, options)) as CallToolResult;
  } catch (thrown) {
    const error = toMeshError(thrown);
    // What the peer refuses as a request is the client's mistake; that it cannot be asked is an answer, and a model shall read it.
    if (mistakes.has(error.code)) throw protocolError(error);
    const text = `${error.message} (${error.code})`;
    return { content: [{ type: 'text', text }], structuredContent: { ...error.toFailure() }, isError: true };
  } finally {
    if (token !== undefined) flow?.forget(token);
  }
}

/** The peer's result without what belongs to the way by which it came. Rejects with a `MeshError`. */
async function handOn(
  mesh: Mesh,
  input: OperationInput<'mcp_request'>,
  options: CallOptions,
): Promise<Record<string, unknown>> {
  const { result } = await mesh.call('mcp_request', input, options);
  const { resultType, ttlMs, cacheScope, ...rest } = result;
  return resultType === undefined || resultType === 'complete' ? rest : { resultType, ...rest };
}

const mistakes: ReadonlyMap<ErrorCode, number> = new Map([
  ['invalid_params', ProtocolErrorCode.InvalidParams],
  ['unknown_operation', ProtocolErrorCode.MethodNotFound],
]);

function protocolError(error: MeshError): ProtocolError {
  return new ProtocolError(mistakes.get(error.code) ?? rpcCodes.refused, error.message, { ...error.toFailure() });
}
