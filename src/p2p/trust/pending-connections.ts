/**
 * Connections that have come and have not yet said who they are. Whoever has no key can open them and say nothing; so one address
 * gets half of the places at most, and whoever comes from elsewhere still gets in. Asked by the door (`doorkeeper.ts`).
 */

import type { MultiaddrConnection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

export class PendingConnections {
  readonly #mostPerAddress: number;
  readonly #pending = new Map<string, Set<MultiaddrConnection>>();

  /** `places` is how many libp2p takes in all. */
  constructor(places: number) {
    this.#mostPerAddress = Math.max(1, Math.floor(places / 2));
  }

  /** Counts it until it is known or ends. False, and not counted, when its address has its share already. */
  add(connection: MultiaddrConnection): boolean {
    const from = networkOf(connection.remoteAddr);
    const pending = this.#pending.get(from) ?? new Set();
    if (pending.size >= this.#mostPerAddress) return false;
    this.#pending.set(from, pending.add(connection));
    connection.addEventListener('close', () => this.known(connection), { once: true });
    return true;
  }

  /** It has shown its peer id. Idempotent. */
  known(connection: MultiaddrConnection): void {
    const from = networkOf(connection.remoteAddr);
    const pending = this.#pending.get(from);
    pending?.delete(connection);
    if (pending?.size === 0) this.#pending.delete(from);
  }
}

const ip4 = 4;
const ip6 = 41;

/** The IPv4 address, or the first 64 bits of the IPv6 address: whoever has one address there has them all. */
function networkOf({ bytes }: Multiaddr): string {
  const length = bytes[0] === ip4 ? 1 + 4 : bytes[0] === ip6 ? 1 + 8 : bytes.length;
  return Buffer.from(bytes.subarray(0, length)).toString('hex');
}
