/** A Python node's queue as the claim rule sees it, beside the own one and those of peers. Made for each claim that names no node. */

import type { MeshError } from '../../mesh/errors.ts';
import type { CallOptions } from '../../mesh/mesh.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import type { ClaimedTask } from '../../mesh/task.ts';
import type { ClaimSource } from '../claim-race.ts';
import type { ClaimTroubles } from '../remote-claim.ts';
import type { PythonPeer } from './python-peer.ts';

/** What the client does for a queue. */
interface QueueCalls {
  call(
    peer: PythonPeer,
    name: 'claim',
    input: CheckedInput<'claim'>,
    options: CallOptions,
  ): Promise<OperationOutput<'claim'>>;
  /** Rejects with a `MeshError`. */
  giveBack(peer: PythonPeer, task: ClaimedTask): Promise<void>;
}

export function pythonQueue(
  client: QueueCalls,
  peer: PythonPeer,
  input: CheckedInput<'claim'>,
  troubles: Pick<ClaimTroubles, 'notGivenBack'>,
): ClaimSource {
  return {
    // Not its peer id: that changes, and may be a peer's of the mesh too.
    peerId: peer.place.text,
    async claim({ waitMs, deadlineMs, signal }) {
      if (waitMs === 0 && peer.isAway) return null;
      const asked = { ...input, wait_s: waitMs / 1000 };
      return (await client.call(peer, 'claim', asked, { deadlineMs, signal })).task;
    },
    giveBack(task) {
      client.giveBack(peer, task).catch((error: MeshError) => troubles.notGivenBack(task.task_id, error));
    },
  };
}
