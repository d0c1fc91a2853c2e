/**
 * The `process` layout with a P2P service that somebody else runs and that other servers may share: connects to it, waits for
 * it while it is away, and never ends it.
 */

import { clearTimeout, setTimeout } from 'node:timers';
import { getLogger } from '@logtape/logtape';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { MeshEvent } from '../mesh/mesh.ts';
import { formatRpcAddress, type RpcAddress } from '../mesh/rpc-address.ts';
import { connectToService, readToken } from './connect.ts';
import type { FarSideLife, FarSideWay } from './far-side-life.ts';
import { nearSide } from './near-side.ts';

const log = getLogger(['taskmesh', 'bridge']);

/** Between two tries to connect, in milliseconds; it doubles up to the longest. */
const firstPauseMs = 50;
const longestPauseMs = 1_000;

export interface ServiceWayOptions {
  address: RpcAddress;
  /** File that holds the service's token. HTTP asks for one; a socket checks it only when it is given. */
  tokenFile?: string | undefined;
}

export function serviceWay({ address, tokenFile }: ServiceWayOptions): FarSideWay {
  return {
    layout: 'process',
    owned: false,
    async open({ onEvent }, signal) {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, 2 * pauseMs)) {
        try {
          const token = tokenFile === undefined ? undefined : readToken(tokenFile);
          return await greetService(address, { token, onEvent, signal });
        } catch (thrown) {
          const error = toMeshError(thrown);
          // The deadline is over: why nobody answered tells more than that it is over.
          if (signal.aborted || error.code !== 'mesh_down') throw error;
          if (pauseMs === firstPauseMs) log.warning('Waiting for the P2P service. {why}', { why: error.message });
          await pause(pauseMs, signal);
          if (signal.aborted) throw toMeshError(signal.reason).code === 'timeout' ? error : signal.reason;
        }
      }
    },
  };
}

export interface GreetOptions {
  token: string | undefined;
  onEvent(event: MeshEvent): void;
  signal: AbortSignal;
}

/** Connects and says hello. The life that it answers only lets go of the service at its end. */
export async function greetService(
  address: RpcAddress,
  { token, onEvent, signal }: GreetOptions,
): Promise<FarSideLife> {
  const channel = await connectToService(address, { token, signal });
  const ended = Promise.withResolvers<Error>();
  const near = nearSide(channel, {
    onEvent,
    onClosed(cause) {
      const why = cause === undefined ? '' : ` (${cause.message})`;
      ended.resolve(
        new Error(`The connection to the P2P service at ${formatRpcAddress(address)} ended${why}.`, { cause }),
      );
    },
  });
  const letGo = async (): Promise<void> => near.close();
  const giveUp = (): void => near.close();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await near.hello(token);
    return { near, ended: ended.promise, stop: letGo, kill: letGo };
  } catch (thrown) {
    near.close();
    const error = toMeshError(signal.aborted ? signal.reason : thrown);
    throw signal.aborted && error.code !== 'timeout' ? error : noWelcome(address, error);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Why a hello was not answered: a call's own words say too little of a service that was never reached. */
function noWelcome(address: RpcAddress, error: MeshError): MeshError {
  const at = `The P2P service at ${formatRpcAddress(address)}`;
  if (error.code === 'timeout') {
    const text = `${at} does not answer: it is stopped, stuck or very busy. Look at it, and restart it if need be.`;
    return new MeshError('mesh_down', text, { cause: error });
  }
  if (error.code !== 'mesh_down') return error;
  const { cause } = error;
  const why = cause instanceof Error ? `: ${cause.message}` : ' and did not say why; look at what it logs.';
  return new MeshError('mesh_down', `${at} let nobody in${why}`, { cause: error });
}

/** Unlike the clock's timers it keeps the process alive: nothing else does while a server waits for its service to appear. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
