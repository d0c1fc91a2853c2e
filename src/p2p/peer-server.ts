/**
 * What stands between a peer's requests and the node as an MCP server for it (`mcp/node-server.ts`): whether it is served at all,
 * its rate, and how much may be in flight.
 */

import { type MeshError, toMeshError } from '../mesh/errors.ts';
import type { Handler } from '../rpc/endpoint.ts';
import { answerRequest, type NodeServer } from './mcp/node-server.ts';
import type { Permit } from './trust/permit.ts';

/**
 * Makes the handler for one peer. `node` answers in the name of that peer, within its permit; `onAbuse` hears when the peer does not
 * heed that it sends too much.
 * Refusals: those of `answerRequest`, and -32010 over the rate.
 */
export function peerHandler(node: NodeServer, permit: Permit, onAbuse: (error: MeshError) => void): Handler {
  const begin = (): (() => void) => {
    try {
      return permit.begin();
    } catch (thrown) {
      const error = toMeshError(thrown);
      permit.refused(error);
      if (error.details?.shut_out === true) onAbuse(error);
      throw error;
    }
  };
  return async (method, params, call) => {
    const end = begin();
    try {
      return await answerRequest(node, method, params, call);
    } finally {
      end();
    }
  };
}
