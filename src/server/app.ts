/**
 * The HTTP application: guards, health, metrics and MCP over one `Mesh`. Made by the entrypoints and served by `listen`. It starts and
 * stops nothing of the mesh.
 */

import { getLogger } from '@logtape/logtape';
import { Hono } from 'hono';
import { type Clock, systemClock } from '../mesh/clock.ts';
import type { BridgeHealth } from '../mesh/health.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import type { Mesh } from '../mesh/mesh.ts';
import { corsForAllowed, hostGuard, originGuard } from './guards.ts';
import { healthRoutes, type Readiness } from './health.ts';
import { McpEndpoint } from './mcp-endpoint.ts';
import { mcpServerFactory } from './mcp-server.ts';
import { Metrics } from './metrics.ts';
import { mayWaitMs } from './tools.ts';

const log = getLogger(['taskmesh', 'server']);

export interface AppOptions {
  /** taskmesh's own version. */
  readonly version: string;
  /** Hosts that requests may name besides loopback names: names, with or without port, or URLs. */
  readonly allowedHosts?: readonly string[];
  /** Hosts of web pages that may send requests besides loopback ones, and whose pages may read the answers. */
  readonly allowedOrigins?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** Whether the mesh can serve calls; asked by `/readyz`, so it must be cheap. */
  ready(): Readiness;
  /** How the bridge to the node is, for `/metrics`; must be cheap. */
  health?(): BridgeHealth;
  readonly clock?: Clock;
}

/** What `listen` serves. */
export interface App {
  readonly hono: Hono;
  /** The bounds that are in force; `listen` takes its own from here. */
  readonly limits: Limits;
  /** MCP sessions that are open now. */
  readonly sessions: number;
  /** Whoever serves the app says how its open connections are counted. */
  countConnections(count: () => number): void;
  /** Before the end: open streams end, new sessions are refused, calls in flight go on. */
  drain(): void;
  /** Ends all sessions; calls in flight are aborted. Idempotent. */
  close(): Promise<void>;
}

/** The path of the MCP endpoint. */
export const mcpPath = '/mcp';

/** Makes the application. Nothing is opened until a request comes. */
export function createApp(mesh: Mesh, options: AppOptions): App {
  const { version, allowedHosts = [], allowedOrigins = [], clock = systemClock } = options;
  const limits: Limits = { ...defaultLimits, ...options.limits };
  let connections = (): number => 0;
  const metrics: Metrics = new Metrics({
    mesh,
    version,
    clock,
    deadlineMs: limits.metricsDeadlineMs,
    sessions: () => endpoint.sessions.size,
    connections: () => connections(),
    ...(options.health === undefined ? {} : { health: options.health.bind(options) }),
  });
  const endpoint = new McpEndpoint({
    limits,
    clock,
    factory: (flowOf) => mcpServerFactory({ mesh, version, calls: metrics.calls, flowOf }),
    mayWaitMs,
  });
  const hono = new Hono();
  hono.use(hostGuard(allowedHosts), originGuard(allowedOrigins));
  if (allowedOrigins.length > 0) hono.use(corsForAllowed(allowedOrigins));
  hono.route('/', healthRoutes({ version, ready: () => options.ready() }));
  hono.route('/', metrics.routes());
  hono.all(mcpPath, (context) => endpoint.handle(context.req.raw));
  hono.notFound((context) =>
    context.json({ ok: false, error: 'not_found', message: `There is nothing here. MCP is at ${mcpPath}.` }, 404),
  );
  hono.onError((error, context) => {
    log.error('{method} {path} failed: {error}', { method: context.req.method, path: context.req.path, error });
    const message = 'Something failed inside taskmesh; its log says what.';
    return context.json({ ok: false, error: 'internal_error', message, retryable: false }, 500);
  });
  return {
    hono,
    limits,
    get sessions() {
      return endpoint.sessions.size;
    },
    countConnections(count) {
      connections = count;
    },
    drain: () => endpoint.drain(),
    close() {
      metrics.close();
      return endpoint.close();
    },
  };
}
