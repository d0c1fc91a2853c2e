/** Which types a peer does not let this node claim, as a claim's answer has it; told by the peer, and heard by who claims. */

import type { MeshError } from '../mesh/errors.ts';
import { everything } from '../mesh/grant.ts';
import type { ClaimRefusal } from '../mesh/operations/queue-work.ts';

/** As many as one claim may name. */
const maxTypes = 100;

/** What a peer's `unauthorized` says of a claim. */
export function refusalOf(peerId: string, { message, details = {} }: MeshError): ClaimRefusal {
  const { task_types = details.value === everything ? [] : [details.value] } = details;
  return refusalSaid(peerId, { task_types, message });
}

/** What a peer says beside its answer. */
export function refusalSaid(
  peer_id: string,
  { task_types, message }: { task_types?: unknown; message?: unknown },
): ClaimRefusal {
  const types = Array.isArray(task_types) ? task_types.slice(0, maxTypes) : [];
  return { peer_id, task_types: types.filter((type) => typeof type === 'string'), message: String(message) };
}
