/**
 * The parts of the libp2p host that reaching others needs and that its public face does not show: dialling one address at a
 * time, listening by way of a relay, what is known of own addresses. Given to the host as a service, which libp2p hands its
 * parts. Only what is used is named here.
 */

import type { Connection, ConnectionGater, Transport } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

export interface HostParts {
  readonly transportManager: {
    dial(address: Multiaddr, options: { signal: AbortSignal }): Promise<Connection>;
    listen(addresses: Multiaddr[]): Promise<void>;
    getTransports(): Transport[];
  };
  readonly addressManager: {
    /** Own addresses, and whether others were seen to reach them. */
    getAddressesWithMetadata(): OwnAddress[];
    confirmObservedAddr(address: Multiaddr, options: { type: 'transport'; ttl: number }): void;
  };
  readonly connectionGater: ConnectionGater;
}

export interface OwnAddress {
  readonly multiaddr: Multiaddr;
  readonly verified: boolean;
  readonly type: 'transport' | 'announce' | 'observed' | 'dns-mapping' | 'ip-mapping';
  readonly expires: number;
}

/** The service by which the host gives its parts away. */
export function hostParts({ transportManager, addressManager, connectionGater }: HostParts): HostParts {
  return { transportManager, addressManager, connectionGater };
}
