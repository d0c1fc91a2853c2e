/**
 * The MCP server object that the SDK wants for each request (2026-07-28) or each session (earlier revisions): two handlers,
 * made from the table of operations. It holds no state of its own and checks no input: `mesh.call` does.
 */

import { getLogger } from '@logtape/logtape';
import {
  type CallToolResult,
  type Implementation,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { answerTool } from '../mesh/answer.ts';
import { MeshError } from '../mesh/errors.ts';
import type { CallOptions, Mesh } from '../mesh/mesh.ts';
import { operationOfTool } from '../mesh/operations.ts';
import { progressNotifier } from '../mesh/progress.ts';
import type { CallMetrics } from './call-metrics.ts';
import { instructions } from './instructions.ts';
import type { ProgressFlow } from './progress.ts';
import { tools } from './tools.ts';

const log = getLogger(['taskmesh', 'server']);

/** The list of tools changes only with the program. */
const listCache = { ttlMs: 3_600_000, cacheScope: 'public' } as const;

interface McpServerSources {
  readonly mesh: Mesh;
  /** taskmesh's own version. */
  readonly version: string;
  /** Is told of each call of a tool. */
  readonly calls: CallMetrics;
  /** The flow of the response that answers a request; undefined when it did not ask for progress. */
  flowOf(request: Request | undefined): ProgressFlow | undefined;
}

/** Makes a function that makes servers; all that can be shared between them is made here, once. */
export function mcpServerFactory(sources: McpServerSources): () => Server {
  const info: Implementation = { name: 'taskmesh', title: 'taskmesh', version: sources.version };
  const options: ServerOptions = {
    capabilities: { tools: {} },
    instructions,
    cacheHints: { 'tools/list': listCache, 'server/discover': listCache },
  };
  const listed = { tools: [...tools] };
  const mesh = logged(sources.mesh);
  return () => {
    const server = new Server(info, options);
    server.setRequestHandler('tools/list', (request) => {
      if (request.params?.cursor === undefined) return listed;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Unknown cursor: all tools are on the first page.');
    });
    server.setRequestHandler('tools/call', (request, context) =>
      callTool({ mesh, calls: sources.calls }, request.params, context, sources.flowOf(context.http?.req)),
    );
    return server;
  };
}

async function callTool(
  { mesh, calls }: Pick<McpServerSources, 'mesh' | 'calls'>,
  params: { name: string; arguments?: Record<string, unknown> | undefined },
  context: ServerContext,
  flow: ProgressFlow | undefined,
): Promise<CallToolResult> {
  if (operationOfTool(params.name) === undefined) {
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      `Unknown tool: ${params.name}. Call tools/list to see the names.`,
    );
  }
  // The signal ends with the exchange; nothing but this call may hold on to it.
  const options: CallOptions = { signal: context.mcpReq.signal };
  const token = context.mcpReq._meta?.progressToken;
  if (token !== undefined && flow !== undefined) {
    const paramsOf = progressNotifier();
    options.onProgress = (progress) =>
      flow.offer(token, () => {
        const sent = context.mcpReq.notify({
          method: 'notifications/progress',
          params: { ...paramsOf(progress), progressToken: token },
        });
        // The client went away; the call itself hears it by its signal.
        sent.catch(() => {});
      });
  }
  const endCall = calls.begin(params.name);
  const answer = await answerTool(mesh, params.name, params.arguments, options);
  endCall(answer);
  if (token !== undefined) flow?.forget(token);
  return {
    content: [{ type: 'text', text: JSON.stringify(answer) }],
    structuredContent: answer as unknown as Record<string, unknown>,
    isError: !answer.ok,
  };
}

/** Answers do not show what an unknown error was; the log does. */
function logged(mesh: Mesh): Mesh {
  return {
    async call(name, input, options) {
      try {
        return await mesh.call(name, input, options);
      } catch (thrown) {
        if (!(thrown instanceof MeshError) || thrown.code === 'internal_error') {
          log.error('{operation} failed inside: {cause}', { operation: name, cause: causeOf(thrown) });
        }
        throw thrown;
      }
    },
    subscribe: (listener) => mesh.subscribe(listener),
  };
}

function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
