/** Starts a P2P service in this process. Called by the entrypoints; libp2p is loaded when it is called, and not before. */

import type { NodeOptions } from '../mesh/node-options.ts';
import type { RpcAddress } from '../mesh/rpc-address.ts';

/** What a service is made of: plain data, so that a server can hand it to a child process. */
export interface ServiceOptions {
  node: NodeOptions;
  /** Where to listen for servers; at least one. */
  rpc: readonly RpcAddress[];
}

/** Resolves when the node listens, and the service too. Rejects with a `MeshError`; nothing is left open then. */
export async function openService(options: ServiceOptions) {
  const { startP2pService } = await import('./far-side/p2p-service.ts');
  return await startP2pService(options);
}
