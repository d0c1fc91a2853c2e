/**
 * How much of a peer is read: frames and bytes a second, over all its streams; fewer bytes, and a share of the event loop, while
 * others ask for something too: decrypting, parsing and writing bulk takes processors that their requests wait for, in this process and beside it. What is over it was read already; reading then rests until it is made up for, what came waits, and the peer's own
 * writing stops with it. Nothing is refused for it; where a request is refused because there are too many, reading rests too, so
 * that the rest of them waits at the peer.
 */

import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';
import { TokenBucket } from '../token-bucket.ts';

export type ReadLimits = Pick<
  Limits,
  | 'peerFramesPerSecond'
  | 'peerFrameBurst'
  | 'peerBytesPerSecond'
  | 'peerByteBurst'
  | 'peerSharedBytesPerSecond'
  | 'peerSharedByteBurst'
  | 'peerLoopPercent'
>;

/** Of its share of the loop, what a peer may save up, in milliseconds: others wait as long for it when it comes at once. */
const loopBurstMs = 5;

export class ReadBudget {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #sharedBytes: TokenBucket;
  readonly #loop: TokenBucket;
  readonly #clock: Clock;
  readonly #othersAsk: () => boolean;
  #restUntilMs = 0;
  /** Read since the peer connected. */
  readonly read = { frames: 0, bytes: 0 };

  /** `othersAsk`: whether anybody else wants something of the node now. */
  constructor(limits: ReadLimits, clock: Clock, othersAsk: () => boolean) {
    this.#frames = new TokenBucket(limits.peerFramesPerSecond, limits.peerFrameBurst, clock);
    this.#clock = clock;
    this.#bytes = new TokenBucket(limits.peerBytesPerSecond, limits.peerByteBurst, clock);
    this.#sharedBytes = new TokenBucket(limits.peerSharedBytesPerSecond, limits.peerSharedByteBurst, clock);
    this.#loop = new TokenBucket(limits.peerLoopPercent * 10, loopBurstMs, clock);
    this.#othersAsk = othersAsk;
  }

  spend(frames: number, bytes: number): void {
    this.read.frames += frames;
    this.read.bytes += bytes;
    if (frames > 0) this.#frames.spend(frames);
    if (bytes > 0) this.#bytes.spend(bytes);
    if (bytes > 0 && this.#othersAsk()) this.#sharedBytes.spend(bytes);
  }

  /** The loop has worked for the peer for so many milliseconds. That counts only where somebody else wants it. */
  worked(ms: number): void {
    if (this.#othersAsk()) this.#loop.spend(ms);
  }

  /** Reading is to rest from now on, for at least so many milliseconds. */
  rest(ms: number): void {
    this.#restUntilMs = this.#clock.monotonicMs() + ms;
  }

  /** How long reading is to rest now, in milliseconds; less when the others stop asking meanwhile. */
  get restMs(): number {
    const sharedMs = Math.max(this.#loop.debtMs, this.#sharedBytes.debtMs);
    const owedMs = Math.max(this.#frames.debtMs, this.#bytes.debtMs, sharedMs > 0 && this.#othersAsk() ? sharedMs : 0);
    return this.#restUntilMs === 0 ? owedMs : Math.max(owedMs, this.#restUntilMs - this.#clock.monotonicMs());
  }

  /** Whether the peer has been quiet for so long that its past does not count any more. */
  get isFull(): boolean {
    return this.#frames.isFull && this.#bytes.isFull;
  }
}
