/** Queues to claim from, as the claim rule sees them: the own one, and those of peers over their links. */

import { type MeshError, toMeshError } from '../mesh/errors.ts';
import type { ClaimRefusal } from '../mesh/operations/queue-work.ts';
import type { CheckedInput, OperationOutput } from '../mesh/operations.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import type { ClaimSource } from './claim-race.ts';
import { refusalOf, refusalSaid } from './claim-refusal.ts';
import type { LocalOperations } from './local-operations.ts';
import type { Peer, PeerClient } from './peer-client.ts';

type ClaimInput = CheckedInput<'claim'>;

/** How long a peer may take to take a task back, in milliseconds. */
const releaseDeadlineMs = 10_000;

export interface ClaimTroubles {
  /** A task could not be given back; its lease will run out. */
  notGivenBack(taskId: string, error: MeshError): void;
  /** A peer has answered a claim; undefined: it lets this node claim all the types. */
  heard?(peerId: string, refusal: ClaimRefusal | undefined): void;
}

export function ownQueue(
  operations: LocalOperations,
  peerId: string,
  input: ClaimInput,
  troubles: ClaimTroubles,
): ClaimSource {
  return {
    peerId,
    async claim({ waitMs, signal }) {
      const { task } = await operations.call('claim', { ...input, wait_s: waitMs / 1000 }, { caller: peerId, signal });
      return task;
    },
    giveBack(task) {
      operations
        .call('release', releaseOf(task), { caller: peerId })
        .catch((error) => troubles.notGivenBack(task.task_id, error));
    },
  };
}

export function peerQueue(client: PeerClient, peer: Peer, input: ClaimInput, troubles: ClaimTroubles): ClaimSource {
  const source: ClaimSource = {
    peerId: peer.peerId,
    async claim({ waitMs, deadlineMs, signal }) {
      const asked = { ...input, wait_s: waitMs / 1000 };
      try {
        const { task, refused } = await client.call(peer, 'claim', asked, { deadlineMs, signal, onLate });
        const refusal = Array.isArray(refused) ? refused[0] : undefined;
        troubles.heard?.(peer.peerId, refusal && refusalSaid(peer.peerId, refusal));
        return task;
      } catch (thrown) {
        const error = toMeshError(thrown);
        if (error.code === 'unauthorized') troubles.heard?.(peer.peerId, refusalOf(peer.peerId, error));
        throw error;
      }
    },
    giveBack(task) {
      client
        .call(peer, 'release', releaseOf(task), { deadlineMs: releaseDeadlineMs })
        .catch((error) => troubles.notGivenBack(task.task_id, error));
    },
  };
  const onLate = ({ task }: OperationOutput<'claim'>): void => {
    if (task !== null) source.giveBack(task);
  };
  return source;
}

function releaseOf({ task_id, fence }: ClaimedTask): CheckedInput<'release'> {
  return { task_id, fence, reason: '', delay_s: 0, remote_peer_id: '', remote_multiaddr: '' };
}
