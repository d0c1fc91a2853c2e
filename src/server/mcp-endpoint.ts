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
  type Server,
} from '@modelcontextprotocol/server';
import type { Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import { BodyBudget, readJsonBody } from './body.ts';
import { refuse, rpcCodes, stopping } from './json-rpc.ts';
import { asksForProgress, ProgressFlow } from './progress.ts';
import { Sessions } from './sessions.ts';
import { watchBody } from './watch-body.ts';

/**
 * A call that may wait for longer than this is answered by a stream from the start: its keep-alive comments, one every 15 s,
 * reach the client and every proxy before they give up. Shorter ones are answered by plain JSON, the cheapest.
 */
const streamFromMs = 15_000;

const log = getLogger(['taskmesh', 'server']);

/** Undefined when the request did not ask for progress. */
export type FlowOf = (request: Request | undefined) => ProgressFlow | undefined;

interface McpEndpointOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  /** Makes what makes the servers; `flowOf` answers the flow of the response that answers a request. */
  factory(flowOf: FlowOf): () => Server;
  /** How long a call of a tool may keep its caller waiting, in milliseconds. */
  mayWaitMs(tool: string, input: unknown): number;
}

export class McpEndpoint {
  readonly sessions: Sessions;
  readonly #limits: Limits;
  readonly #mayWaitMs: (tool: string, input: unknown) => number;
  readonly #prompt: McpHttpHandler;
  readonly #streaming: McpHttpHandler;
  readonly #budget: BodyBudget;
  #closed = false;
  readonly #flows = new WeakMap<Request, ProgressFlow>();

  constructor(options: McpEndpointOptions) {
    const { limits, clock } = options;
    this.#limits = limits;
    this.#mayWaitMs = (tool, input) => options.mayWaitMs(tool, input);
    this.#budget = new BodyBudget(Math.max(limits.maxBufferedBytes, limits.maxBodyBytes));
    const newServer = options.factory((request) => request && this.#flows.get(request));
    const onerror = (error: Error): void => log.debug('MCP: {message}', { message: error.message });
    this.#prompt = createMcpHandler(newServer, { legacy: 'reject', onerror });
    this.#streaming = createMcpHandler(newServer, { legacy: 'reject', onerror, responseMode: 'sse' });
    this.sessions = new Sessions({ limits, clock, newServer });
  }

  /** Answers one request, whatever it is; never rejects for what a client sent. */
  async handle(request: Request): Promise<Response> {
    if (request.method !== 'POST') return this.#answerBodyless(request);
    if (!isJsonContentType(request.headers.get('content-type'))) return notJsonType();
    const body = await readJsonBody(request, this.#limits, this.#budget);
    if ('refusal' in body) return body.refusal;
    if (this.#closed) return stopping();
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
    this.#closed = true;
    await Promise.all([this.sessions.close(), this.#prompt.close(), this.#streaming.close()]);
  }

  async #dispatch(request: Request, body: unknown): Promise<Response> {
    if (await isLegacyRequest(request, body)) return this.sessions.handle(request, body);
    const handler = this.#waitMsOf(body) > streamFromMs ? this.#streaming : this.#prompt;
    return handler.fetch(request, { parsedBody: body });
  }

  /** How long a message may keep its sender waiting; 0 for all but calls of tools. */
  #waitMsOf(body: unknown): number {
    const message = body as { method?: unknown; params?: { name?: unknown; arguments?: unknown } | null } | null;
    const name = message?.method === 'tools/call' ? message.params?.name : undefined;
    return typeof name === 'string' ? this.#mayWaitMs(name, message?.params?.arguments) : 0;
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

function notJsonType(): Response {
  return refuse({
    status: 415,
    code: rpcCodes.refused,
    message: 'Unsupported media type. Send JSON-RPC with Content-Type: application/json.',
  });
}
