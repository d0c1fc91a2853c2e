/**
 * The far side of a bridge: answers one channel with a node. The same handler stands behind every way across, and several
 * channels may share one node.
 */

import { getLogger } from '@logtape/logtape';
import { version } from '../../mesh/build.ts';
import { type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { defaultLimits, type Limits } from '../../mesh/limits.ts';
import type { CallOptions, Mesh, TaskProgress, UncheckedMesh } from '../../mesh/mesh.ts';
import { isOperationName } from '../../mesh/operations.ts';
import type { Channel } from '../../rpc/channel.ts';
import { Endpoint } from '../../rpc/endpoint.ts';
import type { IncomingCall } from '../../rpc/incoming-call.ts';
import type { RpcParams } from '../../rpc/message.ts';
import { agree, type ProtocolRange, verbs, type Welcome } from '../protocol.ts';
import { checkSecret } from './check-secret.ts';
import { EventOutbox } from './event-outbox.ts';

const log = getLogger(['taskmesh', 'bridge']);

export interface ServeChannelOptions {
  /** The node; undefined while there is none. */
  node(): Mesh | UncheckedMesh | undefined;
  /** The secret that a hello carries: always, or not at all where the way across is guarded by something else. */
  token?: { readonly secret: string; readonly required: boolean };
  /** Verbs of this way alone, such as starting and stopping the node. */
  control?: Readonly<Record<string, (params: RpcParams) => Promise<unknown>>>;
  onClosed?(): void;
  limits?: Limits;
  clock?: Clock;
  /** For tests of what an older or newer build says. */
  speaks?: ProtocolRange;
}

/** Serves until the channel ends, or until the endpoint is closed. */
export function serveChannel(channel: Channel, options: ServeChannelOptions): Endpoint {
  const { control = {}, token, limits = defaultLimits, clock = systemClock, speaks } = options;
  let greeted = false;
  let unsubscribe: (() => void) | undefined;

  const greet = (params: RpcParams): Welcome => {
    if (token !== undefined && (token.required || params.token !== undefined)) checkSecret(params.token, token.secret);
    const protocol = agree(params, speaks);
    greeted = true;
    cancelGreeting();
    const { maxInFlight, maxBufferedBytes, maxBridgeFrameBytes: maxFrameBytes } = limits;
    return { protocol, build: version, limits: { maxInFlight, maxBufferedBytes, maxFrameBytes } };
  };

  const watch = (on: boolean): void => {
    unsubscribe?.();
    unsubscribe = undefined;
    if (!on) return;
    const outbox = new EventOutbox(limits.maxPendingEvents, (events, missed) =>
      endpoint.request(verbs.events, { events, missed }, { deadlineMs: limits.callDeadlineMs }),
    );
    const node = options.node();
    if (node === undefined) throw notRunning();
    unsubscribe = node.subscribe((event) => outbox.add(event));
  };

  const answerVerb = async (method: string, params: RpcParams): Promise<unknown> => {
    if (method === verbs.hello) return greet(params);
    if (!greeted) throw new MeshError('unauthorized', 'The bridge’s first message must be a hello.');
    if (method === verbs.ping) return {};
    if (method === verbs.subscribe) {
      watch(params.on === true);
      return {};
    }
    const verb = Object.hasOwn(control, method) ? control[method] : undefined;
    if (verb !== undefined) return verb(params);
    throw new MeshError('unknown_operation', `The bridge has no operation ${method}.`);
  };

  const endpoint = new Endpoint(channel, {
    clock,
    maxInFlight: limits.maxInFlight,
    maxBufferedBytes: limits.maxBufferedBytes,
    closedError: () => new MeshError('mesh_down', 'The server side of the bridge is gone.'),
    handle(method, params, call) {
      if (!greeted || !isOperationName(method)) return answerVerb(method, params);
      const node = options.node();
      if (node === undefined) return Promise.reject(notRunning());
      return node.call(method, params.input as never, new ServedOptions(call));
    },
    onFault: (method, thrown) => log.error('{method} failed inside: {error}', { method, error: thrown }),
    onClosed() {
      cancelGreeting();
      unsubscribe?.();
      options.onClosed?.();
    },
  });
  const { callDeadlineMs } = limits;
  const cancelGreeting = clock.setTimer(callDeadlineMs, () =>
    endpoint.refuse(new MeshError('timeout', `No hello came within ${callDeadlineMs} ms of the connection.`)),
  );
  return endpoint;
}

const notRunning = (): MeshError => new MeshError('mesh_down', 'The P2P node behind the bridge is not running yet.');

/**
 * A call's options as the node sees them. The signal is made when it is looked at, by a getter of the class: engines make one of
 * each object outside compiled code, which took microseconds of every call. A spread would leave it out.
 */
class ServedOptions implements CallOptions {
  readonly deadlineMs?: number;
  readonly onProgress?: (task: TaskProgress) => void;
  readonly #call: IncomingCall;

  constructor(call: IncomingCall) {
    this.#call = call;
    if (call.deadlineMs !== undefined) this.deadlineMs = call.deadlineMs;
    if (call.wantsProgress) this.onProgress = (task) => call.progress({ task });
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}
