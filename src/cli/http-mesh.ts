/**
 * The mesh of a node that runs elsewhere, by MCP over HTTP: what the commands use unless they join the mesh themselves.
 *
 * Connects with the first call, and again after a call that found nobody. A node's answer, good or bad, comes through as it is.
 */

import {
  Client,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { type Answer, outputOf } from '../mesh/answer.ts';
import { checked } from '../mesh/checked.ts';
import { MeshError } from '../mesh/errors.ts';
import { type CallOptions, type Mesh, progressMetaKey, type TaskProgress, type UncheckedMesh } from '../mesh/mesh.ts';
import { type OperationOutput, operationEntry } from '../mesh/operations.ts';

export interface HttpMeshOptions {
  /** MCP URL of the node. */
  readonly url: string;
  /** taskmesh's own version: the node's log shows it. */
  readonly version: string;
}

/** How long it may take to find out what the server speaks, in milliseconds. */
const connectDeadlineMs = 10_000;

/** Resolves at once: nothing is opened before the first call. */
export function createHttpMesh({ url, version }: HttpMeshOptions): Mesh & AsyncDisposable {
  let connecting: Promise<Client> | undefined;

  const connect = async (): Promise<Client> => {
    const client = new Client({ name: 'taskmesh', version }, { versionNegotiation: { mode: 'auto' } });
    // What fails is told by the call that it fails.
    client.onerror = () => {};
    await client.connect(new StreamableHTTPClientTransport(new URL(url)), { timeout: connectDeadlineMs });
    return client;
  };

  const inner: UncheckedMesh = {
    async call<Name extends Parameters<Mesh['call']>[0]>(name: Name, input: unknown, options: CallOptions = {}) {
      if (options.signal?.aborted) throw errorOf(options.signal.reason, url, options);
      connecting ??= connect();
      const used = connecting;
      try {
        const client = await used;
        const params = { name: operationEntry(name).tool, arguments: input as Record<string, unknown> };
        const result = await client.callTool(params, requestOptions(options, input));
        return outputOf(answerIn(result.structuredContent, url)) as OperationOutput<Name>;
      } catch (thrown) {
        const error = errorOf(thrown, url, options);
        // The next call starts afresh: the node may have been restarted, or another one may listen there by then.
        if (error.code === 'mesh_down' && connecting === used) connecting = undefined;
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
      const client = await connecting?.catch(() => undefined);
      connecting = undefined;
      await client?.close();
    },
  };
}

function requestOptions({ signal, deadlineMs, onProgress }: CallOptions, input: unknown) {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(deadlineMs === undefined ? {} : { timeout: deadlineMs }),
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

function errorOf(cause: unknown, url: string, { signal, deadlineMs }: CallOptions): MeshError {
  if (cause instanceof MeshError) return cause;
  if (signal?.aborted) return new MeshError('cancelled', 'The call was given up before its answer came.', { cause });
  if (cause instanceof SdkHttpError && cause.status < 500) {
    if (cause.status === 401 || cause.status === 403) {
      return new MeshError('unauthorized', `The node at ${url} does not allow this: ${cause.message}.`, { cause });
    }
    return notTaskmesh(url, cause);
  }
  if (cause instanceof SdkError && cause.code === SdkErrorCode.RequestTimeout) {
    return new MeshError(
      'timeout',
      `The node at ${url} did not answer${deadlineMs === undefined ? '' : ` within ${Math.round(deadlineMs / 1000)} s`}. It may be overloaded; try again.`,
      { cause },
    );
  }
  if (cause instanceof Error && cause.name === 'ProtocolError') return notTaskmesh(url, cause);
  return new MeshError(
    'mesh_down',
    `No node answers at ${url}. Start one with "npx taskmesh serve", or pass --url for another one, or --join to join the mesh without one.`,
    { cause },
  );
}
