/**
 * `/mcp`: both eras of MCP on one path. Requests of revision 2026-07-28 carry their envelope and are answered one by one;
 * all others belong to a session. Made by the app, which also closes it.
 */

import { getLogger } from '@logtape/logtape';
import {
  createMcpHandler,
  isJsonContentType,
  isLegacyRequest,
  type McpHttpHandler,
} from '@modelcontextprotocol/server';
import type { Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { readJsonBody } from './body.ts';
import { refuse, rpcCodes } from './json-rpc.ts';
import { mcpServerFactory } from './mcp-server.ts';
import { asksForProgress, ProgressFlow } from './progress.ts';
import { Sessions } from './sessions.ts';
import { mayWait } from './tools.ts';
import { watchBody } from './watch-body.ts';

const log = getLogger(['taskmesh', 'server']);

export interface McpEndpointOptions {
  readonly mesh: Mesh;
  readonly version: string;
  readonly limits: Limits;
  readonly clock: Clock;
}

export class McpEndpoint {
  readonly sessions: Sessions;
  readonly #limits: Limits;
  /** For tools that answer soon: plain JSON, the cheapest. */
  readonly #prompt: McpHttpHandler;
  /** For tools that may wait: a stream from the start, with keep-alive comments. */
  readonly #waiting: McpHttpHandler;
  readonly #flows = new WeakMap<Request, ProgressFlow>();

  constructor(options: McpEndpointOptions) {
    const { mesh, version, limits, clock } = options;
    this.#limits = limits;
    const flowOf = (request: Request | undefined): ProgressFlow | undefined => request && this.#flows.get(request);
    const newServer = mcpServerFactory({ mesh, version, flowOf });
    const onerror = (error: Error): void => log.debug('MCP: {message}', { message: error.message });
    this.#prompt = createMcpHandler(newServer, { legacy: 'reject', onerror });
    this.#waiting = createMcpHandler(newServer, { legacy: 'reject', onerror, responseMode: 'sse' });
    this.sessions = new Sessions({ limits, clock, newServer });
  }

  /** Answers one request, whatever it is; never rejects for what a client sent. */
  async handle(request: Request): Promise<Response> {
    if (request.method !== 'POST') return this.#answerBodyless(request);
    if (!isJsonContentType(request.headers.get('content-type'))) return notJsonType();
    const body = await readJsonBody(request, this.#limits);
    if ('refusal' in body) return body.refusal;
    const flow = asksForProgress(body.value) ? new ProgressFlow() : undefined;
    if (flow !== undefined) this.#flows.set(request, flow);
    const response = await this.#dispatch(request, body.value);
    if (flow === undefined) return response;
    return watchBody(response, { onWant: () => flow.want(), onChunk: () => flow.fed() });
  }

  /** Ends streams that never end by themselves and refuses new sessions; calls in flight go on. */
  drain(): void {
    this.sessions.drain();
  }

  /** Ends everything; calls in flight are aborted. */
  async close(): Promise<void> {
    await Promise.all([this.sessions.close(), this.#prompt.close(), this.#waiting.close()]);
  }

  async #dispatch(request: Request, body: unknown): Promise<Response> {
    if (await isLegacyRequest(request, body)) return this.sessions.handle(request, body);
    const handler = mayWait(toolOf(body)) ? this.#waiting : this.#prompt;
    return handler.fetch(request, { parsedBody: body });
  }

  /** GET and DELETE are for sessions; revision 2026-07-28 has only POST. */
  #answerBodyless(request: Request): Promise<Response> | Response {
    const isModern = (request.headers.get('mcp-protocol-version') ?? '') >= '2026-07-28';
    if (!isModern && (request.method === 'GET' || request.method === 'DELETE')) {
      return this.sessions.handle(request, undefined);
    }
    const allow = isModern ? 'POST' : 'GET, POST, DELETE';
    const message = `Method not allowed. Use ${allow}.`;
    return refuse({ status: 405, code: rpcCodes.refused, message, headers: { Allow: allow } });
  }
}

/** The name in a `tools/call`; empty for every other body. */
function toolOf(body: unknown): string {
  const message = body as { method?: unknown; params?: { name?: unknown } | null } | null;
  return message?.method === 'tools/call' && typeof message.params?.name === 'string' ? message.params.name : '';
}

function notJsonType(): Response {
  return refuse({
    status: 415,
    code: rpcCodes.refused,
    message: 'Unsupported media type. Send JSON-RPC with Content-Type: application/json.',
  });
}
