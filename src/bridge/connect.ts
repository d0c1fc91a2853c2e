/** Connects to a P2P service, and says what is wrong when that does not work. */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import { formatRpcAddress, type RpcAddress } from '../mesh/rpc-address.ts';
import type { Channel } from '../rpc/channel.ts';
import { openHttpChannel } from './http-channel.ts';
import { socketChannel } from './socket-channel.ts';

export interface ConnectOptions {
  /** What loopback HTTP asks for. */
  token?: string | undefined;
  signal: AbortSignal;
  limits?: Limits;
}

/**
 * Resolves when the channel can be used; the hello is still to come. Rejects with `mesh_down` when nobody listens (it may
 * work later), `unauthorized` when the service does not let this caller in, or what the signal was aborted with.
 */
export async function connectToService(
  address: RpcAddress,
  { token, signal, limits = defaultLimits }: ConnectOptions,
): Promise<Channel> {
  signal.throwIfAborted();
  try {
    if (address.kind === 'unix') return socketChannel(await openSocket(address.path, signal), { limits });
    return await openHttpChannel(address, { token, signal, limits });
  } catch (thrown) {
    signal.throwIfAborted();
    throw failureAt(formatRpcAddress(address), thrown);
  }
}

/** Reads a token file. Throws `mesh_down` when it is not there, as before the service’s first start, and `invalid_config`. */
export function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT';
    throw new MeshError(
      missing ? 'mesh_down' : 'invalid_config',
      `The P2P service’s token file ${path} ${missing ? 'is not there' : 'cannot be read'}. The service makes it, p2p.token in its data folder; say where: --p2p-token-file.`,
      { cause },
    );
  }
}

function openSocket(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const giveUp = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', giveUp);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

const start =
  'Start it with "npm run start:p2p" (or "taskmesh p2p"), or let the server run its own: leave out --p2p-service.';

function failureAt(where: string, thrown: unknown): MeshError {
  if (thrown instanceof MeshError) return thrown;
  const { code } = thrown as { code?: string };
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET') {
    const what =
      code === 'ENOENT'
        ? 'there is no such socket (if the service runs, somebody removed it: restart the service)'
        : 'nobody answers there';
    return new MeshError('mesh_down', `No P2P service at ${where}: ${what}. ${start}`, { cause: thrown });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new MeshError(
      'unauthorized',
      `The P2P service’s socket ${where} belongs to another user. Run both as the same user, or use loopback HTTP with a token.`,
      { cause: thrown },
    );
  }
  const error = toMeshError(thrown);
  if (error.code !== 'internal_error') return error;
  return new MeshError('mesh_down', `No P2P service at ${where}: ${(thrown as Error).message}. ${start}`, {
    cause: thrown,
  });
}
