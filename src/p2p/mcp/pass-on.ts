/**
 * Hands a request of MCP's on to a peer, over the pair's stream, in the sessionless binding. Called by the router for this node's
 * own callers; what a peer asks is never handed on.
 */

import { version } from '../../mesh/build.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { CallOptions } from '../../mesh/mesh.ts';
import type { CheckedInput, OperationOutput } from '../../mesh/operations.ts';
import { anyProgressOf } from '../../mesh/progress.ts';
import { clientCapabilitiesKey, clientInfoKey, mcpRevision, protocolVersionKey } from '../carriage.ts';
import type { Peer } from '../peer-client.ts';
import type { PeerLinks } from '../reach/peer-links.ts';
import { targetOf } from '../routing.ts';

const envelope = {
  [protocolVersionKey]: mcpRevision,
  [clientInfoKey]: { name: 'taskmesh', version },
  [clientCapabilitiesKey]: {},
};

/**
 * Rejects with the peer's own error (a foreign one as `peer_protocol_error`, or the code of ours that means the same), or as a
 * call of a peer does.
 */
export async function passOn(
  links: PeerLinks,
  ownPeerId: string,
  input: CheckedInput<'mcp_request'>,
  { signal, onProgress, deadlineMs = Number.POSITIVE_INFINITY }: CallOptions,
): Promise<OperationOutput<'mcp_request'>> {
  const { peerId, addresses } = peerIn(input, ownPeerId);
  if (input.method === 'tools/call' && typeof input.params.name !== 'string')
    throw new MeshError(
      'invalid_params',
      'tools/call needs params with the name of the tool: {"name": …, "arguments": {…}}. tools/list shows the names.',
    );
  const params = { ...input.params, _meta: envelope };
  const result = await links.request(peerId, addresses, input.method, params, {
    deadlineMs: Math.min(deadlineMs, input.timeout_s * 1000),
    signal,
    onProgress: onProgress && ((said) => onProgress(anyProgressOf(said))),
  });
  if (typeof result === 'object' && result !== null && !Array.isArray(result)) {
    return { peer_id: peerId, result: result as Record<string, unknown> };
  }
  throw new MeshError(
    'peer_protocol_error',
    `Peer ${peerId} answered ${input.method} with something that is no object.`,
  );
}

function peerIn(input: CheckedInput<'mcp_request'>, ownPeerId: string): Peer {
  const peer = targetOf(input);
  if (peer !== undefined && peer.peerId !== ownPeerId) return peer;
  throw new MeshError(
    'invalid_params',
    'Name the peer to ask: remote_peer_id or remote_multiaddr of another node than this one. This node’s own tools are at its own MCP URL.',
  );
}
