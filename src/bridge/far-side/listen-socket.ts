/**
 * Listens on a Unix socket that only its owner can reach: mode 0600 before the first connection is accepted, in a folder of
 * mode 0700. Removes the socket of a process that is gone, and its own at the end, also when the process ends in a hurry.
 */

import { chmodSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { getLogger } from '@logtape/logtape';
import { systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { makeFolder } from '../../mesh/own-files.ts';
import { maxSocketPathBytes } from '../../mesh/rpc-address.ts';
import { failureOf } from '../../rpc/errors.ts';
import { isListenedOn } from '../probe-socket.ts';
import { socketChannel } from '../socket-channel.ts';
import { lastWordsMs, type RpcListener } from './rpc-listener.ts';

const log = getLogger(['taskmesh', 'bridge']);

/** So many more are accepted, to be told that there are too many. */
const spareConnections = 16;

export interface ListenSocketOptions {
  /** Who comes beyond these is told `busy`. */
  maxConnections: number;
  /** Serves the connection until it ends. */
  serve(socket: Socket): void;
}

/** Throws `address_in_use` or `invalid_config`. */
export async function listenSocket(path: string, { maxConnections, serve }: ListenSocketOptions): Promise<RpcListener> {
  prepareFolder(path);
  await removeStale(path);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const full = sockets.size >= maxConnections;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (full) turnAway(socket, maxConnections);
    else serve(socket);
  });
  server.maxConnections = maxConnections + spareConnections;
  await bind(server, path);
  const own = lstatSync(path).ino;
  const remove = (): void => {
    // Somebody may have removed it, and somebody else may have made another one.
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === own) rmSync(path, { force: true });
  };
  process.on('exit', remove);
  const closed = Promise.withResolvers<void>();
  return {
    address: { kind: 'unix', path },
    stopAccepting() {
      process.off('exit', remove);
      remove();
      server.close(() => closed.resolve());
    },
    async close() {
      const cancelTimer = systemClock.setTimer(lastWordsMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed.promise;
      cancelTimer();
    },
  };
}

function turnAway(socket: Socket, maxConnections: number): void {
  log.warning('{count} servers are connected already; another one was turned away', { count: maxConnections });
  const channel = socketChannel(socket);
  channel.open({ message() {}, closed() {} });
  const error = failureOf(
    new MeshError('busy', `${maxConnections} servers are connected to this P2P service already.`),
  );
  channel.post({ jsonrpc: '2.0', id: null, error });
  channel.close();
}

/** The folder is what keeps others away while the socket is being made. */
function prepareFolder(path: string): void {
  const bytes = Math.max(Buffer.byteLength(path), Buffer.byteLength(draftOf(path)));
  if (bytes > maxSocketPathBytes) {
    throw new MeshError(
      'invalid_config',
      `The path of a Unix socket may be ${maxSocketPathBytes} bytes long; ${path} has ${bytes}. Choose a shorter one: --rpc-listen unix:/run/user/1000/taskmesh.sock`,
      { details: { path, bytes, max_bytes: maxSocketPathBytes } },
    );
  }
  const folder = dirname(path);
  makeFolder(folder);
  const mode = statSync(folder).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new MeshError(
    'invalid_config',
    `Others than the owner may enter ${folder} (mode ${mode.toString(8)}). Put the socket ${path} into a folder of its own, of mode 700: --rpc-listen`,
    { details: { folder, mode: mode.toString(8) } },
  );
}

async function removeStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new MeshError(
      'invalid_config',
      `${path} is there already and is no socket. Choose another path: --rpc-listen`,
    );
  }
  if (await isListenedOn(path)) throw inUse(path);
  rmSync(path, { force: true });
}

/**
 * Binds under another name, and gives it the right one when nobody else can open it any more. The runtimes remove at the end
 * what they have bound by its first name, whoever owns it by then; under its second name it is this file's to remove.
 */
async function bind(server: Server, path: string): Promise<void> {
  const draft = draftOf(path);
  rmSync(draft, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new MeshError('invalid_config', `Cannot listen on ${path}: ${cause.message}.`, { cause })),
    );
    server.listen(draft, () => resolve());
    // It is bound as soon as `listen` returns, on both runtimes, and accepts from the next turn of the loop on.
    if (server.listening) chmodSync(draft, 0o600);
  });
  renameSync(draft, path);
}

function draftOf(path: string): string {
  return join(dirname(path), `.${process.pid}`);
}

function inUse(path: string): MeshError {
  return new MeshError(
    'address_in_use',
    `Another P2P service answers at ${path}. Stop it, or choose another socket: --rpc-listen unix:/path`,
    { details: { path } },
  );
}
