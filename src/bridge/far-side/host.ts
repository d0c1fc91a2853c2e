/**
 * The far side of a bridge: owns the P2P node for the life of the channel, and answers what the near side asks of it.
 * The same host stands behind every way across.
 */

import { systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { defaultLimits } from '../../mesh/limits.ts';
import type { CallOptions, RunningMesh } from '../../mesh/mesh.ts';
import { isOperationName } from '../../mesh/operations.ts';
import type { Channel } from '../../rpc/channel.ts';
import { Endpoint } from '../../rpc/endpoint.ts';
import type { IncomingCall } from '../../rpc/incoming-call.ts';
import type { RpcParams } from '../../rpc/message.ts';
import { eventMethod, startMethod, stopMethod, subscribeMethod } from '../control.ts';

/** Serves the channel until it ends; `build` makes the node from the options that `start` brings. */
export function serveNode(channel: Channel, build: (options: unknown) => RunningMesh): Endpoint {
  let node: RunningMesh | undefined;
  let unsubscribe: (() => void) | undefined;

  const control: Record<string, (params: RpcParams) => Promise<unknown>> = {
    async [startMethod](params) {
      if (node !== undefined) throw new MeshError('wrong_state', 'The node was started before.');
      node = build(params.options);
      await node.start();
      return {};
    },
    async [stopMethod]() {
      unsubscribe?.();
      await node?.stop();
      return {};
    },
    async [subscribeMethod](params) {
      unsubscribe?.();
      unsubscribe =
        params.on === true ? running(node).subscribe((event) => endpoint.notify(eventMethod, { event })) : undefined;
      return {};
    },
  };

  const endpoint = new Endpoint(channel, {
    clock: systemClock,
    maxInFlight: defaultLimits.maxInFlight,
    maxBufferedBytes: defaultLimits.maxBufferedBytes,
    closedError: () => new MeshError('mesh_down', 'The server side of the bridge is gone.'),
    handle(method, params, call) {
      if (isOperationName(method)) return running(node).call(method, params.input as never, optionsOf(call));
      const verb = control[method];
      if (verb !== undefined) return verb(params);
      throw new MeshError('unknown_operation', `The bridge has no operation ${method}.`);
    },
    onClosed() {
      unsubscribe?.();
      void node?.stop();
    },
  });
  return endpoint;
}

function running(node: RunningMesh | undefined): RunningMesh {
  if (node === undefined) throw new MeshError('mesh_down', 'The node behind the bridge was not started.');
  return node;
}

function optionsOf(call: IncomingCall): CallOptions {
  const options: CallOptions = { signal: call.signal };
  if (call.deadlineMs !== undefined) options.deadlineMs = call.deadlineMs;
  if (call.wantsProgress) options.onProgress = (task) => call.progress({ task });
  return options;
}
