/**
 * What whoever holds the token may do, and the node's own operations within it. A token is less than a place on the node's list: it
 * is shared, and cannot be taken from one without the others. So it opens neither tools nor the cache unless the operator says so.
 */

import { MeshError } from '../../mesh/errors.ts';
import { defaultGrant, type Grant } from '../../mesh/grant.ts';
import type { UncheckedMesh } from '../../mesh/mesh.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import type { LocalOperations } from '../local-operations.ts';
import { allow, grantedTools } from '../trust/grant.ts';

/** Submit, work, look at all tasks, cancel what token holders submitted. */
export const tokenGrant: Grant = { ...defaultGrant, cache_read: [], cache_write: [] };

/** The operations in the name of a token holder. Rejects with `unauthorized` for what the grant leaves closed. */
export function grantedMesh(operations: LocalOperations, caller: string, grant: Grant): UncheckedMesh {
  return {
    async call(name, input, { signal, onProgress } = {}) {
      const output = await withRemedy(async () => {
        const { input: allowed, mustBe } = allow(grant, name, input);
        return await operations.call(name, allowed, { caller, mustBe, signal, onProgress });
      });
      if (name !== 'status') return output;
      const { capabilities, ...status } = output as OperationOutput<'status'>;
      const tools = grantedTools(grant, capabilities.tools);
      return { ...status, capabilities: { ...capabilities, tools } } as typeof output;
    },
    subscribe: () => () => {},
  };
}

/** Says to the refused what would let them. */
async function withRemedy<Output>(call: () => Promise<Output>): Promise<Output> {
  try {
    return await call();
  } catch (thrown) {
    if (!(thrown instanceof MeshError) || thrown.code !== 'unauthorized') throw thrown;
    const { message, details = {} } = thrown;
    const how = `${message} The node’s operator can allow it with --python-grant.`;
    throw new MeshError('unauthorized', how, { details, cause: thrown });
  }
}
