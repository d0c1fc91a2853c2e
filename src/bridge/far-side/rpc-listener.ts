/** Something that accepts servers on behalf of the P2P service. */

import type { RpcAddress } from '../../mesh/rpc-address.ts';

export interface RpcListener {
  /** As it came out: with the port that the system chose. */
  readonly address: RpcAddress;
  /** Accepts no more, and takes away what others would find. Connections that are open go on. */
  stopAccepting(): void;
  /** Resolves when all connections have ended; those that do not end soon are cut. */
  close(): Promise<void>;
}

/** How long connections may take to hand over what was written to them last, in milliseconds. */
export const lastWordsMs = 500;
