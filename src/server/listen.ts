/**
 * Serves an app by `node:http`, on Node and on Deno alike: of the servers that both have, only this one ends connections whose
 * headers or body come too slowly. Called by the entrypoints; whoever calls it closes it.
 */

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { type App, mcpPath } from './app.ts';

interface ListenOptions {
  /** Address or name to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock?: Clock;
}

export interface Listener {
  /** The MCP endpoint, as a client on this machine reaches it. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops accepting, ends open streams, lets calls in flight finish for `graceMs`, then cuts them and ends all sessions.
   * Idempotent.
   */
  close(options?: { graceMs?: number }): Promise<void>;
}

/** Resolves when the app is served. Throws `address_in_use` or `invalid_config`. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const { limits } = app;
  const answer = getRequestListener(app.hono.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: limits.headersDeadlineMs,
      // From the connection to the last byte of the body; an answer may take as long as it takes.
      requestTimeout: limits.bodyDeadlineMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersDeadlineMs / 4)),
      keepAliveTimeout: limits.httpKeepAliveMs,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  server.maxConnections = limits.maxHttpConnections;
  // Ends connections on which no byte moves, such as those of clients that stopped reading. Streams that wait send comments.
  server.setTimeout(limits.httpStallMs);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.countConnections(() => sockets.size);
  const answers = new Map<ServerResponse, Socket>();
  server.on('request', ({ socket }, outgoing: ServerResponse) => {
    answers.set(outgoing, socket);
    outgoing.once('close', () => answers.delete(outgoing));
  });
  await bind(server, options);
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${reachableHost(options.host)}:${port}${mcpPath}`,
    port,
    close({ graceMs = 0 } = {}) {
      closed ??= shutDown({ server, sockets, answers, app }, options.clock ?? systemClock, graceMs);
      return closed;
    },
  };
}

function bind(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(bindError(error, host, port));
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function bindError(cause: NodeJS.ErrnoException, host: string, port: number): MeshError {
  if (cause.code === 'EADDRINUSE' || cause.name === 'AddrInUse') {
    return new MeshError(
      'address_in_use',
      `Another program listens on ${host}:${port}, perhaps another taskmesh. Stop it, or choose another port with --port (0: any free one).`,
      { cause, details: { host, port } },
    );
  }
  return new MeshError(
    'invalid_config',
    `Cannot listen on ${host}:${port}: ${cause.message}. Choose an address of this machine with --host and a port you may use with --port.`,
    { cause, details: { host, port } },
  );
}

interface Serving {
  readonly server: Server;
  /** Open connections. The server's own list lacks some: those whose request broke off. */
  readonly sockets: ReadonlySet<Socket>;
  /** Answers on their way, and where they go. */
  readonly answers: ReadonlyMap<ServerResponse, Socket>;
  readonly app: App;
}

async function shutDown({ server, sockets, answers, app }: Serving, clock: Clock, graceMs: number): Promise<void> {
  const allClosed = new Promise<void>((resolve) => server.close(() => resolve()));
  app.drain();
  const busy = new Set(answers.values());
  for (const socket of sockets) if (!busy.has(socket)) socket.destroy();
  // A connection that is kept alive would hold the server open: each ends with its answer, whatever its headers say.
  for (const [outgoing, socket] of answers) {
    if (!outgoing.headersSent) outgoing.setHeader('Connection', 'close');
    outgoing.once('finish', () => socket.end());
  }
  const grace = Promise.withResolvers<void>();
  const cancelTimer = clock.setTimer(graceMs, () => grace.resolve());
  await Promise.race([allClosed, grace.promise]);
  cancelTimer();
  await app.close();
  for (const socket of sockets) socket.destroy();
  await allClosed;
}

/** How a client on this machine names the host: an unspecified address is no name. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
