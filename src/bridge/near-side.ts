/**
 * The near side of a bridge: a mesh whose calls cross a channel. It carries and does not check.
 */

import { systemClock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import type { CallOptions, MeshEvent, TaskProgress, UncheckedMesh } from '../mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import type { Channel } from '../rpc/channel.ts';
import { Endpoint } from '../rpc/endpoint.ts';
import type { RpcParams } from '../rpc/message.ts';
import { eventMethod, startMethod, stopMethod, subscribeMethod } from './control.ts';

/** How long the node may take to start or to stop, in milliseconds. */
export const lifeDeadlineMs = { start: 30_000, stop: 5_000 } as const;

export interface NearSide extends Pick<UncheckedMesh, 'call'> {
  /** Has the far side build and start its node. Rejects with the node's own error. */
  start(options: unknown): Promise<void>;
  /** Has the far side stop its node, then closes the channel. */
  stop(): Promise<void>;
  /** Turns the far side's events on or off. */
  watch(on: boolean): void;
  /** Fails what is in flight and closes the channel. */
  close(cause?: Error): void;
}

export function nearSide(
  channel: Channel,
  onEvent: (event: MeshEvent) => void,
  limits: Limits = defaultLimits,
): NearSide {
  const endpoint = new Endpoint(channel, {
    clock: systemClock,
    maxInFlight: limits.maxInFlight,
    maxBufferedBytes: limits.maxBufferedBytes,
    closedError: (cause) =>
      new MeshError(
        'mesh_down',
        'The P2P side stopped before it answered; the work may or may not have been done. Look, then try again.',
        { cause },
      ),
    async handle(method) {
      throw new MeshError('unknown_operation', `The server side of the bridge answers nothing, ${method} included.`);
    },
    onNotification(method, params) {
      if (method === eventMethod) onEvent(params.event as MeshEvent);
    },
  });

  return {
    async start(options) {
      await endpoint.request(startMethod, { options }, { deadlineMs: lifeDeadlineMs.start });
    },
    async stop() {
      if (!endpoint.closed) await endpoint.request(stopMethod, {}, { deadlineMs: lifeDeadlineMs.stop }).catch(() => {});
      endpoint.close();
    },
    close: (cause) => endpoint.close(cause),
    call<Name extends OperationName>(name: Name, input: CheckedInput<Name>, options: CallOptions = {}) {
      const { signal, onProgress, deadlineMs = limits.callDeadlineMs } = options;
      const heard = onProgress && ((params: RpcParams) => onProgress(params.task as TaskProgress));
      return endpoint.request(name, { input }, { signal, deadlineMs, onProgress: heard }) as Promise<
        OperationOutput<Name>
      >;
    },
    watch(on) {
      // A far side that is gone has no events; whoever calls next hears why.
      endpoint.request(subscribeMethod, { on }, { deadlineMs: limits.callDeadlineMs }).catch(() => {});
    },
  };
}
