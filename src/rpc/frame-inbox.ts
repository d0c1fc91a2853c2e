/**
 * Frames as they arrive, handed over in slices that leave the event loop to others in between. Used by channels over byte
 * streams.
 *
 * Large frames are parsed in one turn of the loop and handed over in another one, small ones pass them; small ones too wait for the
 * next turn when those before have used up a slice: a time, and a number, because most of what a request costs comes after it was
 * handed over, and others would stand behind it in every line. Notifications pass nothing: a cancellation comes after the request
 * that it is about.
 *
 * While reading rests because of what the far side has sent already, nothing is handed over either.
 *
 * Back-pressure: large requests beyond `maxServingBytes` wait until earlier ones were answered, and are refused as `busy` when
 * that takes too long. While more than a frame's worth waits, reading pauses. Nothing that waits here depends on the far side:
 * two nodes that send bulk to each other cannot block each other for good.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { failureOf } from './errors.ts';
import { BrokenFrameError, FrameReader, largeFrameBytes, parseFrame } from './frames.ts';
import { kindOf, type RpcFailure, type RpcId, type RpcRequest } from './message.ts';

/** How long small messages may be handed over in one turn, in milliseconds. */
const sliceMs = 1;

/** How many small messages may be handed over in one turn. */
const sliceMessages = 32;

/** How long a large request waits for earlier ones to be answered, in milliseconds. */
const patienceMs = 2_000;

export interface FrameInboxOptions {
  clock: Clock;
  maxFrameBytes: number;
  frameDeadlineMs: number;
  /** Bytes of large requests that may be in work at once. */
  maxServingBytes: number;
  deliver(message: unknown): void;
  /** Answers a request that cannot be taken. */
  refuse(failure: RpcFailure): void;
  /** The stream cannot go on; nothing more is handed over. */
  broken(thrown: unknown): void;
  /** Whether bytes are wanted. What was on its way comes all the same. */
  pause(): void;
  resume(): void;
  /** Whether nothing is to be handed over now. */
  rests(): boolean;
  /** Runs something in the next turn of the event loop in which nothing rests; it answers whether there was anything to do. */
  nextTurn(run: () => boolean): void;
}

/** Handed over as it is, or parsed first. `large`: it was parsed in a turn of its own, and is handed over in one. */
type Waiting = { readonly bytes: number } & (
  | { readonly message: unknown; readonly large?: true }
  | { readonly body: Uint8Array }
);

interface Held {
  readonly request: RpcRequest;
  readonly bytes: number;
  readonly cancelTimer: CancelTimer;
}

export class FrameInbox {
  readonly #options: FrameInboxOptions;
  readonly #reader: FrameReader;
  /** Small messages that found the slice used up. */
  readonly #small: Waiting[] = [];
  /** Large frames, and the notifications behind them. */
  readonly #large: Waiting[] = [];
  #waitingBytes = 0;
  /** A large request that waits for room. */
  #held: Held | undefined;
  /** Large requests that were handed over and are not answered yet. */
  readonly #serving = new Map<RpcId, number>();
  #servingBytes = 0;
  /** Nothing was answered since a request had waited in vain: the next ones need not wait. */
  #stuck = false;
  #onEmpty: (() => void) | undefined;
  /** Small ones that were handed over since the last turn of its own. */
  #handed = 0;
  /** Small ones used up the last turn. */
  #passedOver = false;
  #scheduled = false;
  #paused = false;
  #closed = false;
  #cancelFrameTimer: CancelTimer | undefined;

  constructor(options: FrameInboxOptions) {
    this.#options = options;
    this.#reader = new FrameReader(options.maxFrameBytes);
  }

  /** Bytes of frames that came and were not handed over yet. */
  get waitingBytes(): number {
    return this.#waitingBytes + (this.#held?.bytes ?? 0);
  }

  push(piece: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#reader.split(piece, this.#sort);
    } catch (thrown) {
      // What came whole before it counts.
      this.#handOver(false);
      this.#break(thrown);
      return;
    }
    if (!this.#scheduled) this.#handOver(false);
    this.#watch();
  }

  /** A request was answered: its bytes count no more. */
  answered(id: RpcId): void {
    const bytes = this.#serving.get(id);
    if (bytes === undefined) return;
    this.#serving.delete(id);
    this.#servingBytes -= bytes;
    this.#stuck = false;
    if (this.#held !== undefined) this.#schedule();
  }

  /** Calls back when all that came was handed over. */
  whenEmpty(then: () => void): void {
    if (this.waitingBytes === 0) then();
    else this.#onEmpty = then;
  }

  /** Drops what waits. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#clearFrameTimer();
    this.#held?.cancelTimer();
    this.#held = undefined;
    this.#small.length = 0;
    this.#large.length = 0;
    this.#waitingBytes = 0;
  }

  readonly #sort = (body: Uint8Array): void => {
    this.#clearFrameTimer();
    const bytes = body.byteLength;
    this.#waitingBytes += bytes;
    if (bytes >= largeFrameBytes) {
      this.#large.push({ body, bytes });
      return;
    }
    if (this.#large.length === 0 && this.#held === undefined) {
      this.#small.push({ body, bytes });
      return;
    }
    const message = parseFrame(body);
    (kindOf(message) === 'notification' ? this.#large : this.#small).push({ message, bytes });
  };

  #handOver(ownTurn: boolean): void {
    const { clock, rests } = this.#options;
    const untilMs = clock.monotonicMs() + sliceMs;
    if (ownTurn) this.#handed = 0;
    let count = 0;
    const most = Math.min(this.#small.length, sliceMessages - this.#handed);
    while (count < most && clock.monotonicMs() < untilMs && !rests() && !this.#closed) this.#give(this.#small[count++]);
    this.#small.splice(0, count);
    this.#handed += count;
    // A large one comes after small ones only when they were quick; when they never are, it has every second turn.
    if (ownTurn && !rests() && (this.#small.length === 0 || this.#passedOver)) this.#giveLarge();
    if (ownTurn) this.#passedOver = this.#small.length > 0 && !this.#passedOver;
    if (this.#closed) return;
    const more = this.#small.length > 0 || (this.#large.length > 0 && this.#held === undefined);
    // Many that come one by one are as many as those that come at once: after a slice of them it is others' turn.
    if (more || this.#handed >= sliceMessages) this.#schedule();
  }

  #giveLarge(): void {
    if (this.#held !== undefined && !this.#hasRoom(this.#held.bytes)) return;
    if (this.#held !== undefined) {
      const { request, bytes, cancelTimer } = this.#held;
      this.#held = undefined;
      cancelTimer();
      this.#serve(request, bytes);
      return;
    }
    for (let next = this.#large[0]; next !== undefined && !this.#closed; next = this.#large[0]) {
      if ('body' in next) {
        this.#parseFirst(next);
        return;
      }
      this.#large.shift();
      this.#give(next);
      if ('large' in next) return;
    }
  }

  /** Of the large ones, the first: what follows from it takes as long again, and has the next turn. */
  #parseFirst({ body, bytes }: { readonly body: Uint8Array; readonly bytes: number }): void {
    try {
      this.#large[0] = { message: parseFrame(body), bytes, large: true };
    } catch (thrown) {
      this.#break(thrown);
    }
  }

  #give(next: Waiting | undefined): void {
    if (next === undefined) return;
    const { bytes } = next;
    const large = 'large' in next;
    this.#waitingBytes -= bytes;
    try {
      const message = 'body' in next ? parseFrame(next.body) : next.message;
      if (!large || kindOf(message) !== 'request') this.#options.deliver(message);
      else if (this.#hasRoom(bytes)) this.#serve(message as RpcRequest, bytes);
      else this.#hold(message as RpcRequest, bytes);
    } catch (thrown) {
      this.#break(thrown);
    }
  }

  /** One is always taken: a bound below a frame's size must not keep it waiting for ever. */
  #hasRoom(bytes: number): boolean {
    return this.#serving.size === 0 || this.#servingBytes + bytes <= this.#options.maxServingBytes;
  }

  #serve(request: RpcRequest, bytes: number): void {
    this.answered(request.id);
    this.#serving.set(request.id, bytes);
    this.#servingBytes += bytes;
    this.#options.deliver(request);
  }

  #hold(request: RpcRequest, bytes: number): void {
    if (this.#stuck) {
      this.#refuse(request);
      return;
    }
    const cancelTimer = this.#options.clock.setTimer(patienceMs, () => {
      this.#held = undefined;
      this.#stuck = true;
      this.#refuse(request);
      this.#schedule();
    });
    this.#held = { request, bytes, cancelTimer };
  }

  #refuse({ id }: RpcRequest): void {
    const what = 'The node works on as many large requests of this peer as it takes. Try again a little later.';
    this.#options.refuse({ jsonrpc: '2.0', id, error: failureOf(new MeshError('busy', what)) });
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#options.nextTurn(() => {
      this.#scheduled = false;
      if (this.#closed) return false;
      const before = this.waitingBytes;
      this.#handOver(true);
      this.#watch();
      if (this.waitingBytes === 0) {
        const onEmpty = this.#onEmpty;
        this.#onEmpty = undefined;
        onEmpty?.();
      }
      return before > 0;
    });
  }

  /** Pauses and resumes reading, and watches over half a frame while there is reading. */
  #watch(): void {
    if (this.#closed) return;
    const full = this.waitingBytes > this.#options.maxFrameBytes;
    if (full !== this.#paused) {
      this.#paused = full;
      if (full) this.#options.pause();
      else this.#options.resume();
    }
    if (this.#paused || !this.#reader.insideFrame) this.#clearFrameTimer();
    else this.#cancelFrameTimer ??= this.#options.clock.setTimer(this.#options.frameDeadlineMs, this.#onHalfFrame);
  }

  readonly #onHalfFrame = (): void => {
    const what = `A frame was not complete after ${this.#options.frameDeadlineMs} ms.`;
    this.#break(new BrokenFrameError('invalid_message', what));
  };

  #clearFrameTimer(): void {
    this.#cancelFrameTimer?.();
    this.#cancelFrameTimer = undefined;
  }

  #break(thrown: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#options.broken(thrown);
  }
}
