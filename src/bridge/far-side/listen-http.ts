/**
 * Listens for servers, and for curl, by HTTP on loopback. Every request brings the service's token, names this machine as its
 * host (against DNS rebinding), and comes from no web page. `http-session.ts` and `http-one-shot.ts` say what is served.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../mesh/clock.ts';
import { MeshError, toMeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Mesh } from '../../mesh/mesh.ts';
import type { RpcAddress } from '../../mesh/rpc-address.ts';
import type { Channel } from '../../rpc/channel.ts';
import { rpcPath, sessionHeader } from '../http-channel.ts';
import { checkSecret } from './check-secret.ts';
import { answerJson, statusOf } from './http-body.ts';
import { answerOperation, answerRequest } from './http-one-shot.ts';
import { HttpSession } from './http-session.ts';
import { lastWordsMs, type RpcListener } from './rpc-listener.ts';

export interface ListenHttpOptions {
  token: string;
  /** Answers single requests. */
  mesh: Mesh;
  limits: Limits;
  /** Serves a session until it ends. */
  serve(channel: Channel): void;
}

/** Besides the two connections of each session: those of curl. */
const spareConnections = 32;

/** Throws `address_in_use` or `invalid_config`. */
export async function listenHttp(
  address: RpcAddress & { kind: 'http' },
  { token, mesh, limits, serve }: ListenHttpOptions,
): Promise<RpcListener> {
  const sessions = new Map<string, HttpSession>();

  const openSession = (response: ServerResponse): void => {
    if (sessions.size >= limits.maxBridges) {
      throw new MeshError('busy', `${sessions.size} servers are connected to this P2P service already.`);
    }
    const id = randomBytes(16).toString('hex');
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      connection: 'close',
      [sessionHeader]: id,
    });
    response.flushHeaders();
    const session = new HttpSession(response, limits);
    sessions.set(id, session);
    response.once('close', () => sessions.delete(id));
    serve(session);
  };

  const receive = async (id: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const session = sessions.get(id);
    if (session === undefined) {
      throw new MeshError('invalid_message', 'There is no such session (any more). Open one by GET /rpc.');
    }
    await session.read(request);
    response.writeHead(202, { 'content-length': '0' }).end();
  };

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '/', headers } = request;
    refuseStrangers(request, token);
    const [path = ''] = url.split('?');
    if (path !== rpcPath && !path.startsWith(`${rpcPath}/`)) {
      throw new MeshError('unknown_operation', `There is nothing at ${path.slice(0, 100)}; the RPC is at ${rpcPath}.`);
    }
    if (method === 'GET' && path === rpcPath) return openSession(response);
    if (method !== 'POST') {
      throw new MeshError('invalid_message', `GET ${rpcPath} opens a session; everything else is a POST.`);
    }
    const shot = { request, response, mesh, limits };
    if (path !== rpcPath) return await answerOperation(shot, path.slice(rpcPath.length + 1));
    const id = headers[sessionHeader];
    if (id === undefined) await answerRequest(shot);
    else await receive(String(id), request, response);
  };

  const server = createServer(
    {
      headersTimeout: limits.headersDeadlineMs,
      // The body of a session lasts as long as the session; the others have a deadline of their own.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersDeadlineMs / 4)),
      keepAliveTimeout: limits.bridgeIdleMs,
    },
    (request, response) => {
      route(request, response).catch((thrown) => {
        const failure = toMeshError(thrown).toFailure();
        // What is left of the body is not read any more.
        const headers: Record<string, string> = request.complete ? {} : { connection: 'close' };
        if (failure.error === 'unauthorized') headers['www-authenticate'] = 'Bearer';
        answerJson(response, statusOf(failure), failure, headers);
      });
    },
  );
  server.maxConnections = 2 * limits.maxBridges + spareConnections;
  await bind(server, address);
  const { port } = server.address() as AddressInfo;
  const closed = Promise.withResolvers<void>();
  return {
    address: { ...address, port },
    stopAccepting() {
      server.close(() => closed.resolve());
    },
    async close() {
      const cancelTimer = systemClock.setTimer(lastWordsMs, () => server.closeAllConnections());
      await closed.promise;
      cancelTimer();
    },
  };
}

function refuseStrangers({ headers }: IncomingMessage, token: string): void {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
    throw new MeshError('unauthorized', 'The P2P service answers only under 127.0.0.1, localhost and [::1].');
  }
  if (headers.origin !== undefined) {
    throw new MeshError('unauthorized', 'The P2P service does not answer web pages.');
  }
  checkSecret(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1], token);
}

function bind(server: Server, { host, port }: RpcAddress & { kind: 'http' }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = { cause, details: { host, port } };
      if (cause.code === 'EADDRINUSE' || cause.name === 'AddrInUse') {
        reject(
          new MeshError(
            'address_in_use',
            `Another program listens on ${host}:${port}. Choose another port: --rpc-listen`,
            where,
          ),
        );
      } else reject(new MeshError('invalid_config', `Cannot listen on ${host}:${port}: ${cause.message}.`, where));
    });
    server.listen(port, host, () => resolve());
  });
}
