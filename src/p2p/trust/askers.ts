/**
 * Who asks the node for something at the moment: whether a peer is alone, or others want the loop too. Made by the permits, told of
 * each request, and asked by the peers' budgets. Remembers two peers, however many there are.
 */

import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';

interface Asker {
  readonly peerId: string;
  lastMs: number;
}

export class Askers {
  readonly #clock: Clock;
  readonly #askingMs: number;
  /** The peer that asked last, and the one that asked last of all others. */
  #last: Asker | undefined;
  #other: Asker | undefined;

  constructor({ peerAskingMs }: Pick<Limits, 'peerAskingMs'>, clock: Clock) {
    this.#clock = clock;
    this.#askingMs = peerAskingMs;
  }

  asked(peerId: string): void {
    const lastMs = this.#clock.monotonicMs();
    if (this.#last?.peerId === peerId) {
      this.#last.lastMs = lastMs;
      return;
    }
    this.#other = this.#last;
    this.#last = { peerId, lastMs };
  }

  /** Whether anybody but this peer has asked for something within `peerAskingMs`. */
  othersThan(peerId: string): boolean {
    const other = this.#last?.peerId === peerId ? this.#other : this.#last;
    return other !== undefined && this.#clock.monotonicMs() - other.lastMs < this.#askingMs;
  }
}
