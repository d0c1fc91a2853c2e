/** The permits of all peers: one each, however many connections and streams it has, and what is counted for all of them together. */

import { Askers } from './askers.ts';
import { type AllPeers, type PeerUse, Permit, type PermitsOptions } from './permit.ts';

/** Peers that have gone and whose rate is remembered until all of it is there again: coming back must not give them a new one. */
const maxGone = 1_000;

export class Permits {
  readonly #options: PermitsOptions;
  readonly #permits = new Map<string, Permit>();
  readonly #gone = new Set<string>();
  readonly #total: AllPeers;

  constructor(options: PermitsOptions) {
    this.#options = options;
    this.#total = { inFlight: 0, waiting: 0, askers: new Askers(options.limits, options.clock) };
  }

  of(peerId: string): Permit {
    let permit = this.#permits.get(peerId);
    if (permit === undefined) {
      permit = new Permit(peerId, this.#options, this.#total);
      this.#permits.set(peerId, permit);
    }
    this.#gone.delete(peerId);
    return permit;
  }

  /** Requests of all peers that are being worked on. */
  get inFlight(): number {
    return this.#total.inFlight;
  }

  useOf(peerId: string): PeerUse {
    return this.#permits.get(peerId)?.use ?? { in_flight: 0, requests: 0, frames: 0, bytes: 0 };
  }

  /** Grants have changed: ends what waits and is not allowed any more. */
  recheck(): void {
    for (const permit of this.#permits.values()) permit.recheck();
  }

  /** The peer is not connected any more. */
  forget(peerId: string): void {
    if (this.#permits.has(peerId)) this.#gone.add(peerId);
    for (const gone of [...this.#gone])
      if (this.#gone.size > maxGone || this.#permits.get(gone)?.isFresh !== false) {
        this.#gone.delete(gone);
        this.#permits.delete(gone);
      }
  }
}
