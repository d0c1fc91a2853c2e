/**
 * Own addresses that count as they are: libp2p tells nobody of a public address before others have dialled it (AutoNAT needs
 * four of them, in four networks), and a mesh may never have so many. Where the operator listens on a public address, that is
 * the operator's word. Used when the node listens.
 */

import { isLoopback, isRelayed } from './addresses.ts';
import type { HostParts } from './host-parts.ts';

/** In the past, in milliseconds: the address counts, and AutoNAT still has it tried. */
const confirmedMs = -1;

/** Counts every address that is listened on as one that others can be told of. */
export function confirmListenAddresses({ addressManager }: HostParts): void {
  for (const { multiaddr, verified, type } of addressManager.getAddressesWithMetadata())
    if (type === 'transport' && !verified && !isRelayed(multiaddr) && !isLoopback(multiaddr))
      addressManager.confirmObservedAddr(multiaddr, { type: 'transport', ttl: confirmedMs });
}
