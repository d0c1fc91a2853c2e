/**
 * What was refused to whom: counted, and logged once per peer and cause. Shown in the status's detail and in the metrics.
 */

import { getLogger } from '@logtape/logtape';
import type { Clock } from '../../mesh/clock.ts';

const log = getLogger(['taskmesh', 'p2p', 'trust']);

/** Pairs of peer and cause that are told apart; a stranger may come with a new identity each time. */
const maxPairs = 1_000;

export interface Refusal {
  peer_id: string;
  /** `unlisted`, `revoked`, `porch_full`, `too_many_connections`, `rate`, `broken_frames`, `shut_out`, or the field of the grant that is missing. */
  cause: string;
  count: number;
  /** Epoch seconds. */
  last_at: number;
}

export class Refusals {
  readonly #pairs = new Map<string, Refusal>();
  readonly #byCause = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** All that was refused so far, by cause. */
  get byCause(): Record<string, number> {
    return Object.fromEntries(this.#byCause);
  }

  /** The latest pairs, the last one first. */
  latest(limit: number): Refusal[] {
    return [...this.#pairs.values()].sort((a, b) => b.last_at - a.last_at).slice(0, limit);
  }

  add(peerId: string, cause: string, what: string): void {
    this.#byCause.set(cause, (this.#byCause.get(cause) ?? 0) + 1);
    const key = `${cause} ${peerId}`;
    const known = this.#pairs.get(key);
    const at = this.#clock.nowMs() / 1000;
    if (known !== undefined) {
      known.count++;
      known.last_at = at;
      return;
    }
    if (this.#pairs.size >= maxPairs) this.#forgetOldest();
    this.#pairs.set(key, { peer_id: peerId, cause, count: 1, last_at: at });
    log.warn('Refused to {peerId} ({cause}): {what} Further ones of this kind are only counted.', {
      peerId,
      cause,
      what,
    });
  }

  #forgetOldest(): void {
    const [oldest] = this.#pairs.keys();
    if (oldest !== undefined) this.#pairs.delete(oldest);
  }
}
