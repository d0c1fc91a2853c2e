/**
 * Who breaks the rules of the wire again and again, and for how long it is shut out: longer each time, up to a bound, and forgotten
 * when it has behaved. Asked by the door (`doorkeeper.ts`), told by whoever reads what the peer sends.
 *
 * ```
 * known for faults ──more than `maxFaults`, or one that counts at once──▶ shut out ──its time is over──▶ known for faults
 *        └──none for `faultsKeptMs`──▶ forgotten                                    each time is twice the one before
 * ```
 */

import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';

/** Peers that are remembered; a stranger may come with a new identity each time. */
const maxPeers = 1_000;

export interface MisconductOptions {
  clock: Clock;
  limits: Pick<Limits, 'maxFaults' | 'faultsKeptMs' | 'shutOutMs' | 'maxShutOutMs'>;
}

interface Conduct {
  faults: number;
  lastMs: number;
  /** How often it was shut out. */
  times: number;
  untilMs: number;
}

export class Misconduct {
  readonly #options: MisconductOptions;
  readonly #records = new Map<string, Conduct>();

  constructor(options: MisconductOptions) {
    this.#options = options;
  }

  /** The peer broke the framing. Answers for how long it is shut out from now on, in milliseconds, if it is. */
  fault(peerId: string): number | undefined {
    const record = this.#record(peerId);
    record.faults++;
    return record.faults > this.#options.limits.maxFaults ? this.#shutOut(record) : undefined;
  }

  /** The peer was told to stop and did not: it is shut out, for so many milliseconds. */
  shutOut(peerId: string): number {
    return this.#shutOut(this.#record(peerId));
  }

  /** For how many milliseconds nothing more is taken from the peer; 0 when it is not shut out. */
  leftMs(peerId: string): number {
    const record = this.#records.get(peerId);
    return record === undefined ? 0 : Math.max(0, record.untilMs - this.#options.clock.monotonicMs());
  }

  #shutOut(record: Conduct): number {
    const { clock, limits } = this.#options;
    const forMs = Math.min(limits.maxShutOutMs, limits.shutOutMs * 2 ** Math.min(record.times, 30));
    record.times++;
    record.faults = 0;
    record.untilMs = clock.monotonicMs() + forMs;
    return forMs;
  }

  /** A record that is so old that the peer has behaved since begins anew. */
  #record(peerId: string): Conduct {
    const { clock, limits } = this.#options;
    const nowMs = clock.monotonicMs();
    let record = this.#records.get(peerId);
    if (record === undefined || nowMs - Math.max(record.lastMs, record.untilMs) >= limits.faultsKeptMs)
      record = { faults: 0, lastMs: nowMs, times: 0, untilMs: 0 };
    record.lastMs = nowMs;
    // The one that was bad last stands last.
    this.#records.delete(peerId);
    this.#records.set(peerId, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > maxPeers && oldest !== undefined) this.#records.delete(oldest);
    return record;
  }
}
