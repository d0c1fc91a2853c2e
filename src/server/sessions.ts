/**
 * The sessions of clients that speak a revision before 2026-07-28: one SDK transport and server each. Made by the endpoint;
 * whoever made the app ends them by `close`.
 *
 * A session is idle while none of its requests is being answered and none of its streams is open. It is ended when it was idle
 * for `sessionIdleMs`. When `maxSessions` is reached, the one that was idle for longest makes room: most clients never say that
 * they are gone, and one that comes back is told to begin anew (404). If none is idle, a new one is refused.
 */

import { type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import { refuse, rpcCodes, stopping } from './json-rpc.ts';
import { watchBody } from './watch-body.ts';

const sessionHeader = 'mcp-session-id';

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: Server;
  /** Responses on their way. */
  inFlight: number;
  /** Runs exactly while `inFlight` is 0. */
  idleTimer: CancelTimer | undefined;
}

interface SessionsOptions {
  readonly limits: Pick<Limits, 'maxSessions' | 'sessionIdleMs'>;
  readonly clock: Clock;
  newServer(): Server;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #byId = new Map<string, Session>();
  /** Ids of idle sessions, the one that is idle for longest first. */
  readonly #idle = new Set<string>();
  #closing = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Sessions that are open now. */
  get size(): number {
    return this.#byId.size;
  }

  /** Answers a request of a revision with sessions. `body` is the parsed JSON of a POST. */
  async handle(request: Request, body: unknown): Promise<Response> {
    const id = request.headers.get(sessionHeader);
    if (id === null) return isInitialize(body) ? this.#begin(request, body) : sessionMissing(request.method);
    const session = this.#byId.get(id);
    if (session === undefined) return sessionUnknown();
    return this.#answer(id, session, () => session.transport.handleRequest(request, { parsedBody: body }));
  }

  /** Ends what never ends by itself, and refuses new sessions; calls in flight go on. */
  drain(): void {
    this.#closing = true;
    for (const { transport } of this.#byId.values()) transport.closeStandaloneSSEStream();
  }

  /** Ends all sessions and aborts their calls. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#byId.keys()].map((id) => this.#end(id)));
  }

  async #begin(request: Request, body: unknown): Promise<Response> {
    if (this.#closing) return stopping();
    let evicted: Promise<void> | undefined;
    if (this.#byId.size >= this.#options.limits.maxSessions) {
      const [longestIdle] = this.#idle;
      if (longestIdle === undefined) return tooManySessions(this.#options.limits.maxSessions);
      evicted = this.#end(longestIdle);
    }
    const server = this.#options.newServer();
    // Taken before anything is awaited, so that the bound holds however many begin at once.
    const id = crypto.randomUUID();
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => id });
    const session: Session = { transport, server, inFlight: 0, idleTimer: undefined };
    this.#byId.set(id, session);
    await evicted;
    await server.connect(transport);
    // The client ended it (DELETE), or `close` did.
    const endedByServer = server.onclose;
    server.onclose = () => {
      endedByServer?.();
      this.#forget(id);
    };
    const response = await this.#answer(id, session, () => transport.handleRequest(request, { parsedBody: body }));
    if (transport.sessionId === undefined) await this.#end(id);
    return response;
  }

  async #answer(id: string, session: Session, handle: () => Promise<Response>): Promise<Response> {
    session.inFlight += 1;
    session.idleTimer?.();
    session.idleTimer = undefined;
    this.#idle.delete(id);
    const onEnd = (): void => {
      session.inFlight -= 1;
      if (session.inFlight > 0 || !this.#byId.has(id)) return;
      this.#idle.add(id);
      session.idleTimer = this.#options.clock.setTimer(this.#options.limits.sessionIdleMs, () => void this.#end(id));
    };
    try {
      return watchBody(await handle(), { onEnd });
    } catch (thrown) {
      onEnd();
      throw thrown;
    }
  }

  /** Forgets the session at once, then closes it. */
  async #end(id: string): Promise<void> {
    const session = this.#byId.get(id);
    this.#forget(id);
    await session?.server.close();
  }

  #forget(id: string): void {
    this.#byId.get(id)?.idleTimer?.();
    this.#byId.delete(id);
    this.#idle.delete(id);
  }
}

function isInitialize(body: unknown): boolean {
  return typeof body === 'object' && body !== null && (body as { method?: unknown }).method === 'initialize';
}

function sessionMissing(method: string): Response {
  const message =
    method === 'POST'
      ? 'This request belongs to no session: send initialize first and then its Mcp-Session-Id with every request, or speak revision 2026-07-28, which has no sessions.'
      : 'This is an MCP endpoint: add its address to an MCP client. Clients send POST; GET and DELETE need the Mcp-Session-Id of an open session.';
  // 405 is how a server says to a client without a session that it offers no stream here.
  const status = method === 'POST' ? 400 : 405;
  const headers = method === 'POST' ? {} : { Allow: 'POST' };
  return refuse({ status, code: rpcCodes.refused, message, headers });
}

function sessionUnknown(): Response {
  return refuse({
    status: 404,
    code: rpcCodes.sessionNotFound,
    message:
      'Session not found: it was ended, or was idle for too long. Send initialize without a session id to begin anew.',
  });
}

function tooManySessions(maxSessions: number): Response {
  return refuse({
    status: 503,
    code: rpcCodes.refused,
    message: `All ${maxSessions} sessions are in use. Try again in a second, or speak revision 2026-07-28, which has no sessions.`,
    headers: { 'Retry-After': '1' },
  });
}
