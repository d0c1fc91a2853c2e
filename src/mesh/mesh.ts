/**
 * The one seam. Whoever holds a `Mesh` (the server, the command line, a worker, a program that uses the library) does not
 * know where the P2P node runs: in this thread, in another one, or in another process.
 */

import type { BridgeHealth } from './health.ts';
import type { CheckedInput, OperationInput, OperationName, OperationOutput } from './operations.ts';
import type { TaskStatus } from './task.ts';

export interface CallOptions {
  /** Gives up; the far side is told and stops too. */
  signal?: AbortSignal;
  /** Milliseconds until the call fails with `timeout`. Without it: as `deadlineOf` says. */
  deadlineMs?: number;
  /** Called with what the worker reports, while a `wait` waits. Intermediate values may be left out. */
  onProgress?: (progress: TaskProgress) => void;
}

/** How far a task is, sent while somebody waits for it; or how far the tool is that is called, and then without a task id. */
export interface TaskProgress {
  task_id: string;
  status: TaskStatus;
  attempt: number;
  /** What the worker or the tool last reported, or null. */
  progress: unknown;
}

/** Where a whole `TaskProgress` stands in the `_meta` of a `notifications/progress`, beside the number that MCP asks for. */
export const progressMetaKey = 'taskmesh/progress';

/** What happens on a node, for those who watch it. Tasks are those that the node owns. */
export type MeshEvent =
  | { type: 'task'; task_id: string; task_type: string; status: TaskStatus; attempt: number }
  | { type: 'peer'; peer_id: string; connected: boolean; multiaddr: string };

export type MeshListener = (event: MeshEvent) => void;

export interface Mesh {
  /**
   * Checks the input against the table, runs the operation, and answers its output.
   * Rejects only with a `MeshError`.
   */
  call<Name extends OperationName>(
    name: Name,
    input: OperationInput<Name>,
    options?: CallOptions,
  ): Promise<OperationOutput<Name>>;
  /**
   * Hands over events, in order, until the returned function is called. A listener must not throw. When very many wait to
   * cross to a slow listener's thread or process, the earlier ones of the same task or peer are left out, never the last.
   */
  subscribe(listener: MeshListener): () => void;
}

/** What carries calls and does not check them: a bridge, or the node itself. `checked` makes a `Mesh` of it. */
export interface UncheckedMesh {
  call<Name extends OperationName>(
    name: Name,
    input: CheckedInput<Name>,
    options?: CallOptions,
  ): Promise<OperationOutput<Name>>;
  subscribe(listener: MeshListener): () => void;
}

/** A mesh with a life: made by an entrypoint or by `createMesh`, never by a request handler. */
export interface RunningMesh extends UncheckedMesh, AsyncDisposable {
  /** Resolves when the node listens. */
  start(): Promise<void>;
  /** Stops taking calls, ends what waits, closes everything. Idempotent. */
  stop(): Promise<void>;
}

/** What a bridge gives to an entrypoint: a running mesh that knows how its P2P side is. */
export interface HostedMesh extends RunningMesh {
  /** Cheap, and answered whatever state the P2P side is in. */
  health(): BridgeHealth;
}
