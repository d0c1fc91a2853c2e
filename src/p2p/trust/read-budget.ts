/**
 * How much of a peer is read: frames and bytes a second, over all its streams. What is over the rate was read already; reading
 * then rests until it is made up for, and the peer's own writing stops with it. Nothing is refused for it; where a request is refused
 * because there are too many, reading rests too, so that the rest of them waits at the peer.
 */

import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';
import { TokenBucket } from '../token-bucket.ts';

export type ReadLimits = Pick<
  Limits,
  'peerFramesPerSecond' | 'peerFrameBurst' | 'peerBytesPerSecond' | 'peerByteBurst'
>;

export class ReadBudget {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #clock: Clock;
  #restUntilMs = 0;
  /** Read since the peer connected. */
  readonly read = { frames: 0, bytes: 0 };

  constructor(limits: ReadLimits, clock: Clock) {
    this.#frames = new TokenBucket(limits.peerFramesPerSecond, limits.peerFrameBurst, clock);
    this.#clock = clock;
    this.#bytes = new TokenBucket(limits.peerBytesPerSecond, limits.peerByteBurst, clock);
  }

  spend(frames: number, bytes: number): void {
    this.read.frames += frames;
    this.read.bytes += bytes;
    if (frames > 0) this.#frames.spend(frames);
    if (bytes > 0) this.#bytes.spend(bytes);
  }

  /** Reading is to rest from now on, for at least so many milliseconds. */
  rest(ms: number): void {
    this.#restUntilMs = this.#clock.monotonicMs() + ms;
  }

  /** How long reading is to rest now, in milliseconds. */
  get restMs(): number {
    const owedMs = Math.max(this.#frames.debtMs, this.#bytes.debtMs);
    return this.#restUntilMs === 0 ? owedMs : Math.max(owedMs, this.#restUntilMs - this.#clock.monotonicMs());
  }

  /** Whether the peer has been quiet for so long that its past does not count any more. */
  get isFull(): boolean {
    return this.#frames.isFull && this.#bytes.isFull;
  }
}
