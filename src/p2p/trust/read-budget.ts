/**
 * How much of a peer is read: frames and bytes a second, over all its streams. What is over the rate was read already; reading
 * then rests until it is made up for, and the peer's own writing stops with it. Nothing is refused.
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
  /** Read since the peer connected. */
  readonly read = { frames: 0, bytes: 0 };

  constructor(limits: ReadLimits, clock: Clock) {
    this.#frames = new TokenBucket(limits.peerFramesPerSecond, limits.peerFrameBurst, clock);
    this.#bytes = new TokenBucket(limits.peerBytesPerSecond, limits.peerByteBurst, clock);
  }

  spend(frames: number, bytes: number): void {
    this.read.frames += frames;
    this.read.bytes += bytes;
    if (frames > 0) this.#frames.spend(frames);
    if (bytes > 0) this.#bytes.spend(bytes);
  }

  /** How long reading is to rest now, in milliseconds. */
  get restMs(): number {
    return Math.max(this.#frames.debtMs, this.#bytes.debtMs);
  }
}
