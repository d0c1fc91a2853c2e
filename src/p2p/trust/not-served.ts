/** How a node says that it does not serve a peer at all, or does not go to it: what has to be run, and on which machine. */

import { MeshError } from '../../mesh/errors.ts';

export function notServed(cause: 'revoked' | 'unlisted', ownPeerId: string, peerId: string): MeshError {
  const onThatMachine = `On the machine of ${ownPeerId} run: taskmesh grant ${peerId}`;
  return new MeshError(
    'unauthorized',
    cause === 'revoked'
      ? `Node ${ownPeerId} has shut this node (${peerId}) out. ${onThatMachine} to let it in again.`
      : `Node ${ownPeerId} serves listed peers only, and this node (${peerId}) is not on its list. ${onThatMachine}; ` +
          'or run "taskmesh invite" there, and "taskmesh join" here.',
    { details: { cause, peer_id: ownPeerId } },
  );
}

/** Why this node does not go to a peer. */
export function shutOut(peerId: string): MeshError {
  return new MeshError(
    'unauthorized',
    `This node has shut ${peerId} out, and does not go to it. Run "taskmesh grant ${peerId}" here to let it in again.`,
    { details: { cause: 'revoked', peer_id: peerId } },
  );
}
