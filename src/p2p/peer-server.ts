/**
 * What this node answers to a peer: MCP's sessionless binding with the remote operations as tools. Each call is checked again
 * here and served from this node only; it is never handed on to another one.
 */

import { type Answer, answerTool } from '../mesh/answer.ts';
import { version } from '../mesh/build.ts';
import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { CallOptions, Mesh } from '../mesh/mesh.ts';
import { type OperationName, operationEntry, operationNames, operationOfTool } from '../mesh/operations.ts';
import { progressNotifier } from '../mesh/progress.ts';
import { toolOf } from '../mesh/tool.ts';
import type { Handler } from '../rpc/endpoint.ts';
import type { IncomingCall } from '../rpc/incoming-call.ts';
import type { RpcParams } from '../rpc/message.ts';
import { clientCapabilitiesKey, mcpRevision, protocolVersionKey } from './carriage.ts';
import { TokenBucket } from './token-bucket.ts';

/** How long a peer may keep what `tools/list` and `server/discover` answer, in milliseconds. */
const listTtlMs = 3_600_000;

const remoteNames = operationNames.filter((name) => operationEntry(name).remote);

/**
 * Makes the handler for one peer. `mesh` calls in the name of that peer.
 * Refusals: -32601 for unknown methods (`initialize` among them), -32602 for unknown tools and bad envelopes.
 */
export function peerHandler(
  mesh: Mesh,
  limits: Pick<Limits, 'peerRequestsPerSecond' | 'peerRequestBurst'>,
  clock: Clock,
): Handler {
  const bucket = new TokenBucket(limits.peerRequestsPerSecond, limits.peerRequestBurst, clock);
  return async (method, params, call) => {
    if (!bucket.take()) {
      throw new MeshError(
        'rate_limited',
        `More than ${limits.peerRequestsPerSecond} requests a second came from this peer. Send fewer, or try again a little later.`,
      );
    }
    switch (method) {
      case 'tools/call':
        checkEnvelope(params);
        return toolResult(await callTool(mesh, params, call));
      case 'tools/list':
        checkEnvelope(params);
        return { ...complete, ...cacheable, tools: remoteNames.map(toolOf) };
      case 'server/discover':
        return { ...complete, ...cacheable, ...discovery };
      default:
        throw new MeshError(
          'unknown_operation',
          `Method ${method.slice(0, 100)} is not served between peers; tools/call, tools/list and server/discover are.`,
        );
    }
  };
}

const complete = { resultType: 'complete' } as const;
const cacheable = { ttlMs: listTtlMs, cacheScope: 'public' } as const;
const discovery = {
  supportedVersions: [mcpRevision],
  capabilities: { tools: {} },
  serverInfo: { name: 'taskmesh', version },
} as const;

function checkEnvelope({ _meta: meta }: RpcParams): void {
  if (meta?.[protocolVersionKey] === mcpRevision && typeof meta[clientCapabilitiesKey] === 'object') return;
  throw new MeshError(
    'invalid_params',
    `_meta must carry "${protocolVersionKey}": "${mcpRevision}" and "${clientCapabilitiesKey}": {}.`,
    { details: { supported: [mcpRevision] } },
  );
}

async function callTool(mesh: Mesh, params: RpcParams, call: IncomingCall): Promise<Answer> {
  const tool = params.name;
  const name = typeof tool === 'string' ? operationOfTool(tool) : undefined;
  if (name === undefined || !operationEntry(name).remote) {
    throw new MeshError(
      'invalid_params',
      `This node has no tool ${JSON.stringify(tool)?.slice(0, 100)} for peers. tools/list shows the names.`,
    );
  }
  return answerTool(mesh, operationEntry(name).tool, params.arguments, optionsOf(name, call));
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

/** `content` stays empty: MCP wants the same data there once more as text, and between peers nobody reads it. */
function toolResult(answer: Answer): Record<string, unknown> {
  return { ...complete, content: [], structuredContent: answer, isError: !answer.ok };
}
