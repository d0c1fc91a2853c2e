/**
 * The near side of a bridge: one connection to a far side, over whatever channel. It carries and does not check. The
 * supervisor opens one for each life of the far side.
 */

import { type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import type { CallOptions, MeshEvent, TaskProgress, UncheckedMesh } from '../mesh/mesh.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';
import type { Channel } from '../rpc/channel.ts';
import { Endpoint } from '../rpc/endpoint.ts';
import type { RpcParams } from '../rpc/message.ts';
import { hello, verbs, type Welcome } from './protocol.ts';

export interface NearSide extends Pick<UncheckedMesh, 'call'> {
  /**
   * Agrees on the protocol; nothing else is answered before. Rejects with `protocol_mismatch` or `unauthorized`, or with `timeout`
   * after `deadlineMs`: a far side that has only just been started loads its code first.
   */
  hello(token?: string, deadlineMs?: number): Promise<Welcome>;
  /** One of the verbs beside the operations. */
  ask(verb: string, params: RpcParams, deadlineMs: number): Promise<unknown>;
  /** Turns the far side's events on or off. */
  watch(on: boolean): void;
  /** Nothing more will cross: the channel has ended. */
  readonly closed: boolean;
  /** Calls that wait for their answer. */
  readonly inFlight: number;
  /** Fails what is in flight and closes the channel. Idempotent. */
  close(cause?: Error): void;
}

export interface NearSideOptions {
  onEvent(event: MeshEvent): void;
  /** The channel ended; what was in flight was failed before. */
  onClosed?(cause?: Error): void;
  limits?: Limits;
  clock?: Clock;
}

export function nearSide(
  channel: Channel,
  { onEvent, onClosed = () => {}, limits = defaultLimits, clock = systemClock }: NearSideOptions,
): NearSide {
  const endpoint = new Endpoint(channel, {
    clock,
    maxInFlight: limits.maxInFlight,
    maxBufferedBytes: limits.maxBufferedBytes,
    closedError: (cause) =>
      new MeshError(
        'mesh_down',
        'The P2P side ended or restarted before it answered; the work may or may not have been done. Look, then try again.',
        { cause },
      ),
    async handle(method, { events }) {
      if (method !== verbs.events)
        throw new MeshError('unknown_operation', `The server side of the bridge has no ${method}.`);
      for (const event of events as MeshEvent[]) onEvent(event);
      return {};
    },
    onClosed,
  });

  const ask = (verb: string, params: RpcParams, deadlineMs: number): Promise<unknown> =>
    endpoint.request(verb, params, { deadlineMs });

  return {
    hello: (token, deadlineMs = limits.callDeadlineMs) =>
      ask(verbs.hello, { ...hello(token) }, deadlineMs) as Promise<Welcome>,
    ask,
    watch(on) {
      // A far side that is gone has no events; whoever calls next hears why.
      ask(verbs.subscribe, { on }, limits.callDeadlineMs).catch(() => {});
    },
    get closed() {
      return endpoint.closed;
    },
    get inFlight() {
      return endpoint.inFlight;
    },
    close: (cause) => endpoint.close(cause),
    call<Name extends OperationName>(name: Name, input: CheckedInput<Name>, options: CallOptions = {}) {
      const { signal, onProgress, deadlineMs = limits.callDeadlineMs } = options;
      const heard = onProgress && ((params: RpcParams) => onProgress(params.task as TaskProgress));
      return endpoint.request(name, { input }, { signal, deadlineMs, onProgress: heard }) as Promise<
        OperationOutput<Name>
      >;
    },
  };
}
