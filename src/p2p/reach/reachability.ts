/** How others get to this node, as `status` tells it: NAT, relays, and how the connections that there are came about. */

import type { CircuitRelayService } from '@libp2p/circuit-relay-v2';
import type { Clock } from '../../mesh/clock.ts';
import type { OperationOutput } from '../../mesh/operations.ts';
import type { Host } from '../libp2p-host.ts';
import { isLoopback, isPrivate, isRelayed } from './addresses.ts';
import type { RelayReservations } from './relay-reservations.ts';

export type ReachabilityView = NonNullable<OperationOutput<'status'>['reachability']>;

export interface ReachabilityOptions {
  host: Host;
  clock: Clock;
  reservations: RelayReservations;
  maxRelayReservations: number;
}

export class Reachability {
  readonly #options: ReachabilityOptions;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
  }

  view(): ReachabilityView {
    const { host, reservations, maxRelayReservations } = this.#options;
    const relayed = host.getConnections().filter(({ remoteAddr }) => isRelayed(remoteAddr)).length;
    const relay: CircuitRelayService | undefined = host.services.relay;
    return {
      nat: this.#verdict(),
      direct_connections: host.getConnections().length - relayed,
      relayed_connections: relayed,
      relays: reservations.views(),
      relay:
        relay === undefined ? null : { reservations: relay.reservations.size, max_reservations: maxRelayReservations },
    };
  }

  /**
   * A public address that is listened on counts from the start (`host-addresses.ts`). AutoNAT then has peers dial it: when enough
   * of them could, libp2p marks it as valid for some time; when too many could not, as not verified.
   */
  #verdict(): ReachabilityView['nat'] {
    const { host, clock } = this.#options;
    const own = host.services.parts.addressManager.getAddressesWithMetadata();
    const direct = own.filter(({ multiaddr, type }) => !isRelayed(multiaddr) && type !== 'observed');
    const open = direct.filter(({ multiaddr }) => !isPrivate(multiaddr));
    if (open.some(({ verified, expires, type }) => type === 'announce' || (verified && expires > clock.nowMs())))
      return 'public';
    if (open.length > 0) return open.every(({ verified }) => !verified) ? 'unreachable' : 'unknown';
    if (own.some(({ multiaddr }) => isRelayed(multiaddr))) return 'relayed';
    if (direct.length === 0) return 'none';
    return direct.every(({ multiaddr }) => isLoopback(multiaddr)) ? 'loopback' : 'private';
  }
}
