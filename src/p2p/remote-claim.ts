/** Queues to claim from, as the claim rule sees them: the own one, and those of peers over their links. */

import { type MeshError, toMeshError } from '../mesh/errors.ts';
import { everything } from '../mesh/grant.ts';
import type { ClaimRefusal } from '../mesh/operations/queue-work.ts';
import type { CheckedInput, OperationOutput } from '../mesh/operations.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import type { ClaimSource } from './claim-race.ts';
import type { LocalOperations } from './local-operations.ts';
import type { Peer, PeerClient } from './peer-client.ts';

type ClaimInput = CheckedInput<'claim'>;

/** How long a peer may take to take a task back, in milliseconds. */
const releaseDeadlineMs = 10_000;

/** As many as one claim may name. */
const maxTypes = 100;

export interface ClaimTroubles {
  /** A task could not be given back; its lease will run out. */
  notGivenBack(taskId: string, error: MeshError): void;
  /** A peer has answered a claim; undefined: it lets this node claim all the types. */
  heard?(peerId: string, refusal: ClaimRefusal | undefined): void;
}

/** What a peer's `unauthorized` says of a claim. */
export function refusalOf(peerId: string, { message, details = {} }: MeshError): ClaimRefusal {
  const { task_types = details.value === everything ? [] : [details.value] } = details;
  return refusalSaid(peerId, { task_types, message });
}

/** What a peer says beside its answer. */
function refusalSaid(
  peer_id: string,
  { task_types, message }: { task_types?: unknown; message?: unknown },
): ClaimRefusal {
  const types = Array.isArray(task_types) ? task_types.slice(0, maxTypes) : [];
  return { peer_id, task_types: types.filter((type) => typeof type === 'string'), message: String(message) };
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
