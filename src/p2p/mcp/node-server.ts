/**
 * A node as an MCP server for one peer: the remote operations and the node's own tools, in the sessionless binding. Called by the
 * peer's handler with what came over the carriage; `mesh` calls in the name of the peer, so that its grant decides. Each call is
 * checked again there and served from this node only; it is never handed on to another one.
 *
 * Refusals: -32601 for unknown methods, -32602 for unknown tools and bad envelopes, -32022 for other revisions.
 */

import { answerTool } from '../../mesh/answer.ts';
import { version } from '../../mesh/build.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { CallOptions, Mesh } from '../../mesh/mesh.ts';
import { type OperationName, operationEntry, operationNames, operationOfTool } from '../../mesh/operations.ts';
import { progressNotifier } from '../../mesh/progress.ts';
import { toolOf } from '../../mesh/tool.ts';
import type { IncomingCall } from '../../rpc/incoming-call.ts';
import type { RpcParams } from '../../rpc/message.ts';
import {
  clientCapabilitiesKey,
  mcpRevision,
  protocolVersionKey,
  serverInfoKey,
  structuredOnlyKey,
} from '../carriage.ts';
import { answerResult, refusedResult, valueResult } from './tool-result.ts';

/** How long a peer may keep what `tools/list` and `server/discover` answer, in milliseconds: a grant may change at any time. */
const listTtlMs = 60_000;

/** How long a tool of the node's own may take, in seconds, when its caller says nothing: as long as any call may. */
const longestToolS = 600;

/** Longer names are no tool's. */
const maxToolName = 200;

/** A tool of the node's own, as peers see it. Source: MCP specification, revision 2026-07-28, `Tool`. */
export interface OfferedTool {
  name: string;
  description: string;
  inputSchema: Record<string, unknown>;
}

export interface NodeServer {
  readonly mesh: Mesh;
  /** The tools that the node's operator offers, by name. */
  readonly offered: ReadonlyMap<string, OfferedTool>;
}

const remoteNames = operationNames.filter((name) => operationEntry(name).remote);

const complete = { resultType: 'complete' } as const;
const cacheable = { ttlMs: listTtlMs, cacheScope: 'private' } as const;

const serverInfo = { name: 'taskmesh', title: 'taskmesh node', version } as const;

/** What the node says about itself; its name stands where each binding looks for it. */
const nodeIdentity = {
  capabilities: { tools: {} },
  serverInfo,
  _meta: { [serverInfoKey]: serverInfo },
  instructions:
    'Tools of a taskmesh node, reached by its peer id: its task queue (p2p_taskqueue_…) and the tools that its operator offers.',
} as const;

/** Answers one request. Rejects with a `MeshError`. */
export async function answerRequest(
  node: NodeServer,
  method: string,
  params: RpcParams,
  call: IncomingCall,
): Promise<unknown> {
  checkRevision(params);
  switch (method) {
    case 'tools/call':
      checkEnvelope(params);
      return { ...complete, ...(await callTool(node, params, call)) };
    case 'tools/list':
      checkEnvelope(params);
      checkCursor(params);
      return { ...complete, ...cacheable, tools: [...remoteNames.map(toolOf), ...(await grantedTools(node))] };
    case 'server/discover':
      return { ...complete, ...cacheable, supportedVersions: [mcpRevision], ...nodeIdentity };
    default:
      throw new MeshError(
        'unknown_operation',
        `Method ${method.slice(0, 100)} is not served between peers; tools/call, tools/list and server/discover are.`,
      );
  }
}

/** As over HTTP, a client that speaks other revisions is told which one to choose. Source: MCP, 2026-07-28, "Versioning". */
function checkRevision({ _meta: meta }: RpcParams): void {
  const requested = meta?.[protocolVersionKey];
  if (typeof requested !== 'string' || requested === mcpRevision) return;
  throw new MeshError('protocol_mismatch', `Unsupported protocol version: ${requested.slice(0, 100)}`, {
    details: { supported: [mcpRevision], requested: requested.slice(0, 100) },
  });
}

function checkEnvelope({ _meta: meta }: RpcParams): void {
  if (meta?.[protocolVersionKey] === mcpRevision && typeof meta[clientCapabilitiesKey] === 'object') return;
  throw new MeshError(
    'invalid_params',
    `_meta must carry "${protocolVersionKey}": "${mcpRevision}" and "${clientCapabilitiesKey}": {}.`,
    { details: { supported: [mcpRevision] } },
  );
}

function checkCursor({ cursor }: RpcParams): void {
  if (cursor !== undefined) throw new MeshError('invalid_params', 'Unknown cursor: all tools are on the first page.');
}

/** `status` says which tools the asking peer may call; a node that is asked by itself hides none. */
async function grantedTools({ mesh, offered }: NodeServer): Promise<OfferedTool[]> {
  if (offered.size === 0) return [];
  const { capabilities } = await mesh.call('status', {});
  return capabilities.tools.map((name) => offered.get(name)).filter((tool) => tool !== undefined);
}

async function callTool(node: NodeServer, params: RpcParams, call: IncomingCall): Promise<object> {
  const { name: tool, arguments: input } = params;
  const name = typeof tool === 'string' ? operationOfTool(tool) : undefined;
  if (name !== undefined && operationEntry(name).remote) {
    const answer = await answerTool(node.mesh, operationEntry(name).tool, input, optionsOf(name, call));
    return answerResult(answer, params._meta?.[structuredOnlyKey] === true);
  }
  if (typeof tool !== 'string' || tool === '')
    throw new MeshError(
      'invalid_params',
      'tools/call needs the name of a tool in its params: {"name": …, "arguments": {…}}. tools/list shows the names.',
    );
  // Whoever may not call a tool is told the same, whether there is one or not.
  if (name === undefined && tool.length <= maxToolName) return await callOffered(node.mesh, tool, input, call);
  throw noSuchTool(tool);
}

function noSuchTool(tool: string): MeshError {
  return new MeshError(
    'invalid_params',
    `This node has no tool "${tool.slice(0, 100)}" for peers. tools/list shows the names.`,
  );
}

/** By way of `call_tool`, so that one check says who may call what. */
async function callOffered(mesh: Mesh, tool_name: string, args: unknown, call: IncomingCall): Promise<object> {
  try {
    const input = { tool_name, args: (args ?? {}) as Record<string, unknown>, timeout_s: longestToolS };
    return valueResult((await mesh.call('call_tool', input, optionsOf('call_tool', call))).result);
  } catch (thrown) {
    const error = toMeshError(thrown);
    if (error.code === 'unknown_tool' || error.code === 'tools_disabled') throw noSuchTool(tool_name);
    return refusedResult(error);
  }
}

function optionsOf(name: OperationName, call: IncomingCall): CallOptions {
  const options: CallOptions = {};
  // Only what may wait can be given up; the others are done before a cancellation could arrive.
  if (operationEntry(name).waitMs !== undefined) options.signal = call.signal;
  if (call.deadlineMs !== undefined) options.deadlineMs = call.deadlineMs;
  if (call.wantsProgress) {
    const paramsOf = progressNotifier();
    options.onProgress = (progress) => call.progress(paramsOf(progress));
  }
  return options;
}
