/** Decides which node a call goes to: the one that is named, the owner in the task's id, or this one. */

import type { Multiaddr } from '@multiformats/multiaddr';
import { MeshError } from '../mesh/errors.ts';
import type { Target } from '../mesh/operation.ts';
import { type OperationName, operationEntry } from '../mesh/operations.ts';
import { splitTaskId } from '../mesh/task.ts';
import type { Peer } from './peer-client.ts';
import { canonicalPeerId, parseDialAddress } from './reach/addresses.ts';

/**
 * The peer that is meant, or undefined for this node. Throws `invalid_peer_id`, `invalid_multiaddr`, and `invalid_params` when
 * the input names two different nodes.
 */
export function routeOf(name: OperationName, input: Record<string, unknown>, ownPeerId: string): Peer | undefined {
  if (!operationEntry(name).remote) return undefined;
  const target = targetOf(input as Partial<Target>);
  const id = input.task_id;
  const owner = typeof id === 'string' ? splitTaskId(id).owner : undefined;
  if (target === undefined) {
    return owner === undefined || owner === ownPeerId ? undefined : { peerId: canonicalPeerId(owner), addresses: [] };
  }
  if (owner !== undefined && owner !== target.peerId) {
    throw conflict(`the task id names its owner ${owner}, and the target is ${target.peerId}`);
  }
  return target.peerId === ownPeerId ? undefined : target;
}

/** The node that the target fields name; undefined when they are empty. */
export function targetOf({
  remote_peer_id = '',
  remote_multiaddr = '',
  peer_id = '',
}: Partial<Target>): Peer | undefined {
  const addresses: Multiaddr[] = [];
  const named = new Set<string>();
  for (const text of [remote_peer_id, peer_id]) if (text !== '') named.add(canonicalPeerId(text));
  if (remote_multiaddr !== '') {
    const { peerId, address } = parseDialAddress(remote_multiaddr);
    named.add(peerId);
    addresses.push(address);
  }
  const [peerId, other] = named;
  if (peerId === undefined) return undefined;
  if (other !== undefined) throw conflict(`the target fields name ${peerId} and ${other}`);
  return { peerId, addresses };
}

/** Throws `invalid_params` for a peer's call that names a third node: a peer's calls are answered here, or not at all. */
export function refuseThirdNode(input: Record<string, unknown>, ownPeerId: string): void {
  const target = targetOf(input as Partial<Target>);
  if (target === undefined || target.peerId === ownPeerId) return;
  throw new MeshError(
    'invalid_params',
    `This call came to ${ownPeerId} from a peer, and names ${target.peerId}. What comes from a peer is never handed on to a third node: ask ${target.peerId} itself, or leave remote_peer_id and remote_multiaddr out.`,
  );
}

function conflict(what: string): MeshError {
  return new MeshError(
    'invalid_params',
    `The call names two different nodes: ${what}. Name one, or leave the target out.`,
  );
}
