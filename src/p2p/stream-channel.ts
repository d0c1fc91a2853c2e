/**
 * A channel of the RPC over one libp2p stream. Made by the peer links for each carriage stream, whoever opened it.
 *
 * Bulk must not own the loop: large frames are written in slices and read one per turn, small ones pass them (`src/rpc/outbox.ts`,
 * `src/rpc/frame-inbox.ts`). What a slow reader does not take waits here; `bufferedBytes` tells how much, and the endpoint
 * refuses calls before it grows. A broken frame is answered with why, then the stream is closed; half a frame must become a
 * whole one within `frameDeadlineMs`.
 */

import process from 'node:process';
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { type InBulkTurn, inBulkTurn } from '../mesh/bulk-turns.ts';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import { FrameInbox } from '../rpc/frame-inbox.ts';
import { BrokenFrameError, type EncodedMessage, encodeFrames } from '../rpc/frames.ts';
import { kindOf, type RpcId, type RpcMessage } from '../rpc/message.ts';
import { Outbox, requestsOf } from '../rpc/outbox.ts';
import { brokenFrameMessage } from './carriage.ts';
import type { ReadBudget } from './trust/read-budget.ts';

/** How long a closed stream may take to hand over what was written before it is cut, in milliseconds. */
const lingerMs = 1_000;

/** The same for one that the peer has broken: long enough to be told why. */
const brokenLingerMs = 100;

/** After this long it is looked again whether reading is still to rest, in milliseconds: the peer may be alone by then. */
const longestRestMs = 100;

/** Bytes that are encrypted and written in one turn of the event loop. */
const sliceBytes = 128 * 1024;

export interface StreamChannelOptions {
  clock: Clock;
  limits: Pick<Limits, 'maxFrameBytes' | 'frameDeadlineMs' | 'maxBufferedBytes' | 'maxPeerServingBytes'>;
  /** What may be read of the peer; over it, reading rests. Default: everything. */
  budget?: ReadBudget | undefined;
  /** What came cannot be read as frames. */
  onBroken?: (() => void) | undefined;
  /** The far side will send nothing more; it may still wait for answers. */
  onHalfClosed(): void;
  /** Runs something in a later turn of the event loop; for tests. */
  nextTurn?: InBulkTurn;
}

export class StreamChannel implements Channel {
  readonly #stream: Stream;
  readonly #options: StreamChannelOptions;
  readonly #nextTurn: InBulkTurn;
  /** What waits for the end of the rest: the inbox's turn. */
  #afterRest: (() => boolean) | undefined;
  readonly #inbox: FrameInbox;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
  /** What came in this tick. */
  readonly #received: StreamMessageEvent['data'][] = [];
  /** What is left of the batch that is being written. */
  #unwritten: Uint8Array | undefined;
  #closed = false;
  #broken = false;
  /** The inbox has as much as it takes. */
  #full = false;
  /** Ends the rest that reading takes because the peer has sent more than its rate. */
  #endRest: CancelTimer | undefined;

  constructor(stream: Stream, options: StreamChannelOptions) {
    this.#stream = stream;
    this.#options = options;
    const { clock, limits } = options;
    this.#nextTurn = options.nextTurn ?? inBulkTurn;
    this.#inbox = new FrameInbox({
      clock,
      maxFrameBytes: limits.maxFrameBytes,
      frameDeadlineMs: limits.frameDeadlineMs,
      maxServingBytes: limits.maxPeerServingBytes,
      deliver: (message) => this.#deliver(message),
      refuse: (failure) => this.post(failure),
      broken: (thrown) => this.#refuse(thrown),
      pause: () => this.#setFull(true),
      resume: () => this.#setFull(false),
      rests: () => this.#rests,
      nextTurn: (run) => this.#turnForInbox(run),
    });
    this.#outbox = new Outbox({
      maxFrameBytes: limits.maxFrameBytes,
      write: (batch, done) => this.#write(batch, done),
    });
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes + (this.#unwritten?.byteLength ?? 0) + this.#stream.writeBufferLength;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.#stream.addEventListener('close', (event: StreamCloseEvent) => {
      this.#takeIn();
      this.#end(event.error);
    });
    // 'end' and not 'remoteCloseWrite': what came before is to be delivered first.
    this.#stream.addEventListener('end', () => this.#halfClosed());
    this.#stream.addEventListener('message', (event: StreamMessageEvent) => this.#receive(event.data));
    if (this.#stream.status !== 'open') this.#end();
    else if (this.#stream.readableEnded) queueMicrotask(() => this.#halfClosed());
  }

  /** Throws `payload_too_large` for what does not fit in a frame. */
  post(message: RpcMessage): void {
    if (this.#closed) return;
    this.#outbox.add(message);
    if ('id' in message && message.id !== null && !('method' in message)) this.#inbox.answered(message.id);
    const { maxBufferedBytes, maxFrameBytes } = this.#options.limits;
    // Requests are refused far below this; it cuts off a peer that asks a lot and never reads the answers.
    if (this.bufferedBytes > maxBufferedBytes + 2 * maxFrameBytes)
      this.#stream.abort(new MeshError('busy', 'The peer does not read what is sent to it.'));
  }

  /** The request of this id will have no answer: its bytes count no more. */
  dropped(id: RpcId): void {
    this.#inbox.answered(id);
  }

  close(): void {
    if (this.#closed) return;
    const rest = this.#outbox.takeAll();
    this.#end();
    // What still comes is for nobody; the peer's window is not opened again.
    if (this.#broken && this.#stream.readStatus === 'readable') this.#stream.pause();
    if (this.#unwritten !== undefined) this.#send(this.#unwritten);
    if (rest.length > 0) this.#send(encodeFrames(rest));
    const cancelLinger = this.#options.clock.setTimer(this.#broken ? brokenLingerMs : lingerMs, () =>
      this.#stream.abort(new Error('not closed in time')),
    );
    this.#stream.addEventListener('close', cancelLinger);
    this.#stream.close().catch((error: Error) => this.#stream.abort(error));
  }

  /** Small batches at once; large ones a slice per turn, each when the stream has taken the one before. */
  #write(batch: readonly EncodedMessage[], done: () => void): void {
    const bytes = encodeFrames(batch);
    const more = bytes.byteLength > sliceBytes;
    this.#unwritten = more ? bytes.subarray(sliceBytes) : undefined;
    const taken = this.#send(more ? bytes.subarray(0, sliceBytes) : bytes, batch);
    this.#whenTaken(taken, more, done);
  }

  #writeOn(done: () => void): void {
    const left = this.#unwritten;
    if (this.#closed || left === undefined) return;
    const more = left.byteLength > sliceBytes;
    this.#unwritten = more ? left.subarray(sliceBytes) : undefined;
    this.#whenTaken(this.#send(left.subarray(0, sliceBytes)), more, done);
  }

  #whenTaken(taken: boolean, more: boolean, done: () => void): void {
    const next = more ? () => this.#writeOn(done) : done;
    if (!taken) this.#stream.addEventListener('drain', () => this.#nextTurn(next), { once: true });
    else if (more) this.#nextTurn(next);
    else done();
  }

  /** False when the stream wants a pause. `whole`: the messages of which this is the beginning. */
  #send(bytes: Uint8Array, whole: readonly EncodedMessage[] = []): boolean {
    try {
      return this.#stream.send(bytes);
    } catch (error) {
      this.#stream.abort(error as Error);
      this.#end(error as Error, requestsOf(whole));
      return true;
    }
  }

  #receive(data: StreamMessageEvent['data']): void {
    if (this.#closed) return;
    this.#options.budget?.spend(0, data.byteLength);
    // At the end of the tick: what is done for a request is not what it cost to read it (`fair-reads.ts`). And a stream that is
    // paused while it hands over what came in an earlier pause opens its window all the same (libp2p 3.3), until it overflows.
    if (this.#received.push(data) === 1)
      process.nextTick(() => {
        this.#rest();
        this.#takeIn();
      });
  }

  #takeIn(): void {
    for (const data of this.#received.splice(0)) {
      if (data instanceof Uint8Array) this.#inbox.push(data);
      else for (const piece of data) this.#inbox.push(piece);
    }
  }

  #setFull(full: boolean): void {
    this.#full = full;
    this.#readOrNot();
  }

  /** Over the rate, nothing more is read for as long as it takes to be within it again. */
  #rest(): void {
    const restMs = this.#options.budget?.restMs ?? 0;
    if (restMs <= 0 || this.#endRest !== undefined || this.#closed) return;
    this.#endRest = this.#options.clock.setTimer(Math.min(restMs, longestRestMs), () => {
      this.#endRest = undefined;
      this.#rest();
      this.#readOrNot();
      const run = this.#afterRest;
      this.#afterRest = undefined;
      if (run !== undefined) this.#turnForInbox(run);
    });
    this.#readOrNot();
  }

  /** While reading rests, what came already rests too. */
  #turnForInbox(run: () => boolean): void {
    if (this.#closed) return;
    this.#rest();
    if (this.#endRest !== undefined) {
      this.#afterRest = run;
      return;
    }
    let hasWorked = false;
    this.#nextTurn(
      () => {
        // What the turn before has cost is known only when this one begins.
        if (this.#rests) this.#turnForInbox(run);
        else hasWorked = run();
      },
      (ms) => {
        if (hasWorked) this.#options.budget?.worked(ms);
      },
    );
  }

  get #rests(): boolean {
    return (this.#options.budget?.restMs ?? 0) > 0;
  }

  #readOrNot(): void {
    const wanted = !this.#full && this.#endRest === undefined;
    const { readStatus } = this.#stream;
    if (wanted && readStatus === 'paused') this.#stream.resume();
    else if (!wanted && readStatus === 'readable') this.#stream.pause();
  }

  #deliver(message: unknown): void {
    if (this.#closed) return;
    this.#options.budget?.spend(1, 0);
    if (kindOf(message) === undefined)
      throw new BrokenFrameError('invalid_message', 'A frame came that holds no JSON-RPC message.');
    this.#events?.message(message);
    this.#rest();
  }

  /** Says what was wrong with what came, then closes. */
  #refuse(thrown: unknown): void {
    if (this.#closed) return;
    if (thrown instanceof BrokenFrameError) this.post(brokenFrameMessage(thrown.word, thrown));
    const events = this.#events;
    this.#events = undefined;
    this.#broken = true;
    this.close();
    events?.closed(toMeshError(thrown));
    this.#options.onBroken?.();
  }

  #halfClosed(): void {
    this.#takeIn();
    this.#inbox.whenEmpty(() => {
      if (!this.#closed && this.#stream.status === 'open') this.#options.onHalfClosed();
    });
  }

  #end(cause?: Error, unsent: ReadonlySet<RpcId> = new Set()): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endRest?.();
    this.#afterRest = undefined;
    this.#inbox.close();
    const waiting = this.#outbox.unsent();
    this.#outbox.clear();
    this.#events?.closed(cause, waiting.union(unsent));
  }
}
