/**
 * The HTTP application of `taskmesh proxy --http`: one peer's MCP server on loopback, behind the same guards as the node's own.
 * Served by `listen`. It starts and stops nothing of the mesh.
 */

import { Hono } from 'hono';
import { systemClock } from '../mesh/clock.ts';
import { defaultLimits } from '../mesh/limits.ts';
import { type App, mcpPath } from './app.ts';
import { hostGuard, originGuard } from './guards.ts';
import { McpEndpoint } from './mcp-endpoint.ts';
import { type PeerMcpSources, peerMcpServerFactory } from './peer-mcp-server.ts';

/** What a peer's tool takes is not known here: every call may be long, and its answer is a stream from the start. */
const anyWaitMs = 600_000;

/** Makes the application. Nothing is opened until a request comes. */
export function createPeerApp(sources: PeerMcpSources): App {
  const endpoint = new McpEndpoint({
    limits: defaultLimits,
    clock: systemClock,
    factory: (flowOf) => peerMcpServerFactory({ ...sources, flowOf }),
    mayWaitMs: () => anyWaitMs,
  });
  const hono = new Hono();
  hono.use(hostGuard([]), originGuard([]));
  hono.all(mcpPath, (context) => endpoint.handle(context.req.raw));
  hono.notFound((context) =>
    context.json({ ok: false, error: 'not_found', message: `There is nothing here. MCP is at ${mcpPath}.` }, 404),
  );
  return {
    hono,
    limits: defaultLimits,
    get sessions() {
      return endpoint.sessions.size;
    },
    countConnections() {},
    drain: () => endpoint.drain(),
    close: () => endpoint.close(),
  };
}
