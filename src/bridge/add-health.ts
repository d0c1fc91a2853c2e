/** A node's own status says how the bridge to it is; the node itself cannot know. */

import type { BridgeHealth } from '../mesh/health.ts';
import type { CheckedInput, OperationName, OperationOutput } from '../mesh/operations.ts';

/** Adds it to the output of a `status` that asks no other node; every other output stays as it is. */
export function addHealth<Name extends OperationName>(
  name: Name,
  input: CheckedInput<Name>,
  output: OperationOutput<Name>,
  health: () => BridgeHealth,
): OperationOutput<Name> {
  if (name !== 'status') return output;
  const { peer_id, remote_multiaddr, remote_peer_id } = input as CheckedInput<'status'>;
  return peer_id || remote_multiaddr || remote_peer_id ? output : { ...output, bridge: health() };
}
