/**
 * The mesh of a node that runs elsewhere, by MCP over HTTP: what the commands use unless they join the mesh themselves.
 *
 * Connects with the first call, and again after a call that found nobody. A node's answer, good or bad, comes through as it is:
 * unless its caller is in more of a hurry, a call has longer than the node gives it.
 */

import {
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { type Answer, outputOf } from '../mesh/answer.ts';
import { checked } from '../mesh/checked.ts';
import { type Clock, systemClock } from '../mesh/clock.ts';
import { deadlineOf } from '../mesh/deadline.ts';
import { MeshError } from '../mesh/errors.ts';
import { defaultLimits } from '../mesh/limits.ts';
import { type CallOptions, type Mesh, progressMetaKey, type TaskProgress, type UncheckedMesh } from '../mesh/mesh.ts';
import { type CheckedInput, type OperationName, type OperationOutput, operationEntry } from '../mesh/operations.ts';
import { streamLost, watchedFetch } from './watched-fetch.ts';

interface HttpMeshOptions {
  /** MCP URL of the node. */
  readonly url: string;
  /** taskmesh's own version: the node's log shows it. */
  readonly version: string;
  readonly clock?: Clock;
}

/** How long it may take to find out what the server speaks, in milliseconds. */
const connectDeadlineMs = 10_000;

/** What a call has beyond the node's own deadline, in milliseconds, so that the node's word about it arrives. */
const marginMs = 5_000;

/** Three of the server's comments are missing: it is gone, or frozen. In milliseconds. */
const silentMs = 45_000;

interface Connection {
  readonly client: Client;
  readonly ready: Promise<void>;
}

/** Resolves at once: nothing is opened before the first call. */
export function createHttpMesh({ url, version, clock = systemClock }: HttpMeshOptions): Mesh & AsyncDisposable {
  const fetch = watchedFetch({ clock, silentMs });
  let connection: Connection | undefined;

  const connect = (): Connection => {
    const client = new Client({ name: 'taskmesh', version }, { versionNegotiation: { mode: 'auto' } });
    // What fails is told by the call that it fails.
    client.onerror = () => {};
    const transport = new StreamableHTTPClientTransport(new URL(url), { fetch });
    return { client, ready: client.connect(transport, { timeout: connectDeadlineMs }) };
  };

  /** The next call starts afresh: the node may have been restarted, or another one may listen there by then. */
  const forget = (used: Connection): void => {
    if (connection === used) connection = undefined;
    used.client.close().catch(() => {});
  };

  const connected = async (signal: AbortSignal | undefined): Promise<Connection> => {
    connection ??= connect();
    const used = connection;
    try {
      await orAborted(used.ready, signal);
    } catch (thrown) {
      if (!signal?.aborted) forget(used);
      throw errorOf(thrown, url, signal, connectDeadlineMs);
    }
    return used;
  };

  const inner: UncheckedMesh = {
    async call<Name extends OperationName>(name: Name, input: CheckedInput<Name>, options: CallOptions = {}) {
      const { signal } = options;
      if (signal?.aborted) throw errorOf(signal.reason, url, signal, 0);
      const used = await connected(signal);
      const timeout = timeoutOf(deadlineOf(name, input, defaultLimits), options.deadlineMs);
      try {
        const params = { name: operationEntry(name).tool, arguments: input as Record<string, unknown> };
        const result = await used.client.callTool(params, requestOptions(options, timeout, input));
        return outputOf(answerIn(result.structuredContent, url)) as OperationOutput<Name>;
      } catch (thrown) {
        const error = errorOf(thrown, url, signal, timeout);
        if (error.code === 'mesh_down') forget(used);
        throw error;
      }
    },
    subscribe() {
      throw new MeshError(
        'unknown_operation',
        'A node that is reached over HTTP sends no events. Join the mesh instead.',
      );
    },
  };
  return {
    ...checked(inner),
    async [Symbol.asyncDispose]() {
      const last = connection;
      connection = undefined;
      last?.ready.catch(() => {});
      await last?.client.close();
    },
  };
}

/** A caller that wants to know sooner than the node would tell is not kept waiting. */
function timeoutOf(nodeMs: number, deadlineMs = nodeMs): number {
  return deadlineMs < nodeMs ? deadlineMs : Math.max(deadlineMs, nodeMs + marginMs);
}

/** Rejects with the signal's reason as soon as it is aborted. */
async function orAborted(running: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await running;
  const { promise: given, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([running, given]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function requestOptions({ signal, onProgress }: CallOptions, timeout: number, input: unknown) {
  return {
    timeout,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined
      ? {}
      : { onprogress: (progress: object) => onProgress(progressIn(progress, input as { task_id?: string })) }),
  };
}

function progressIn(notification: object, input: { task_id?: string }): TaskProgress {
  const { _meta, message } = notification as { _meta?: Record<string, unknown>; message?: string };
  const whole = _meta?.[progressMetaKey] as TaskProgress | undefined;
  return whole ?? { task_id: input.task_id ?? '', status: 'running', attempt: 1, progress: message ?? null };
}

function answerIn(structured: unknown, url: string): Answer {
  if (typeof structured === 'object' && structured !== null && 'ok' in structured) return structured as Answer;
  throw notTaskmesh(url);
}

function notTaskmesh(url: string, cause?: unknown): MeshError {
  return new MeshError(
    'peer_protocol_error',
    `What answers at ${url} is not a taskmesh node. Check --url, or start a node with "npx taskmesh serve".`,
    { cause },
  );
}

function errorOf(cause: unknown, url: string, signal: AbortSignal | undefined, waitedMs: number): MeshError {
  if (cause instanceof MeshError) return cause;
  if (signal?.aborted) return new MeshError('cancelled', 'The call was given up before its answer came.', { cause });
  if (cause instanceof SdkHttpError && cause.status < 500) {
    if (cause.status === 401 || cause.status === 403) {
      return new MeshError('unauthorized', `The node at ${url} does not allow this: ${cause.message}.`, { cause });
    }
    return notTaskmesh(url, cause);
  }
  if (cause instanceof SdkError && cause.code === SdkErrorCode.RequestTimeout) return tooLate(url, waitedMs, cause);
  if (cause instanceof ProtocolError) {
    if (cause.code === streamLost.silent) return tooLate(url, silentMs, cause);
    if (cause.code !== streamLost.broke) return notTaskmesh(url, cause);
    return new MeshError('mesh_down', `The node at ${url} went away before it answered.`, { cause });
  }
  return new MeshError(
    'mesh_down',
    `No node answers at ${url}. Start one with "npx taskmesh serve", or pass --url for another one, or --join to join the mesh without one.`,
    { cause },
  );
}

function tooLate(url: string, waitedMs: number, cause: unknown): MeshError {
  return new MeshError(
    'timeout',
    `The node at ${url} said nothing for ${Math.round(waitedMs / 1000)} s. It may be overloaded; try again.`,
    { cause },
  );
}
