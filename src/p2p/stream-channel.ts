/**
 * A channel of the RPC over one libp2p stream. Made by the peer links for each carriage stream, whoever opened it.
 *
 * Frames posted in one tick are written together. libp2p holds back what a slow reader does not take; `bufferedBytes` tells
 * how much that is, and the endpoint refuses calls before it grows. A broken frame is answered with why, then the stream is
 * closed; half a frame must become a whole one within `frameDeadlineMs`.
 */

import process from 'node:process';
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import { BrokenFrameError, type EncodedMessage, encodeFrames, encodeMessage, FrameReader } from '../rpc/frames.ts';
import { kindOf, type RpcMessage } from '../rpc/message.ts';
import { brokenFrameMessage } from './carriage.ts';

/** How long a closed stream may take to hand over what was written before it is cut, in milliseconds. */
const lingerMs = 1_000;

export interface StreamChannelOptions {
  clock: Clock;
  limits: Pick<Limits, 'maxFrameBytes' | 'frameDeadlineMs' | 'maxBufferedBytes'>;
  /** The far side will send nothing more; it may still wait for answers. */
  onHalfClosed(): void;
}

export class StreamChannel implements Channel {
  readonly #stream: Stream;
  readonly #options: StreamChannelOptions;
  readonly #reader: FrameReader;
  #events: ChannelEvents | undefined;
  #outbox: EncodedMessage[] = [];
  #outboxBytes = 0;
  #closed = false;
  #cancelFrameTimer: CancelTimer | undefined;

  constructor(stream: Stream, options: StreamChannelOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new FrameReader(options.limits.maxFrameBytes);
    // Requests are refused far below this; it cuts off a peer that asks a lot and never reads the answers.
    stream.maxWriteBufferLength = options.limits.maxBufferedBytes + 2 * options.limits.maxFrameBytes;
  }

  get bufferedBytes(): number {
    return this.#outboxBytes + this.#stream.writeBufferLength;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.#stream.addEventListener('close', (event: StreamCloseEvent) => this.#end(event.error));
    // 'end' and not 'remoteCloseWrite': what came before is to be delivered first.
    this.#stream.addEventListener('end', () => this.#halfClosed());
    this.#stream.addEventListener('message', (event: StreamMessageEvent) => this.#receive(event.data));
    if (this.#stream.status !== 'open') this.#end();
    else if (this.#stream.readableEnded) queueMicrotask(() => this.#halfClosed());
  }

  /** Throws `payload_too_large` for what does not fit in a frame. */
  post(message: RpcMessage): void {
    if (this.#closed) return;
    const encoded = encodeMessage(message, this.#options.limits.maxFrameBytes);
    this.#outboxBytes += encoded.bytes;
    // The tick's end, not the next microtask: answers that become ready one after the other share a write too.
    if (this.#outbox.push(encoded) === 1) process.nextTick(() => this.#flush());
  }

  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#end();
    const cancelLinger = this.#options.clock.setTimer(lingerMs, () =>
      this.#stream.abort(new Error('not closed in time')),
    );
    this.#stream.addEventListener('close', cancelLinger);
    this.#stream.close().catch((error: Error) => this.#stream.abort(error));
  }

  #flush(): void {
    const batch = this.#outbox;
    this.#outbox = [];
    this.#outboxBytes = 0;
    if (batch.length === 0 || this.#closed) return;
    try {
      this.#stream.send(encodeFrames(batch));
    } catch (error) {
      this.#stream.abort(error as Error);
      this.#end(error as Error);
    }
  }

  #receive(data: StreamMessageEvent['data']): void {
    if (this.#closed) return;
    try {
      if (data instanceof Uint8Array) this.#reader.push(data, this.#deliver);
      else for (const piece of data) this.#reader.push(piece, this.#deliver);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (!this.#reader.insideFrame) this.#clearFrameTimer();
    else
      this.#cancelFrameTimer ??= this.#options.clock.setTimer(this.#options.limits.frameDeadlineMs, this.#onHalfFrame);
  }

  readonly #deliver = (message: unknown): void => {
    this.#clearFrameTimer();
    if (this.#closed) return;
    if (kindOf(message) === undefined)
      throw new BrokenFrameError('invalid_message', 'A frame came that holds no JSON-RPC message.');
    this.#events?.message(message);
  };

  readonly #onHalfFrame = (): void => {
    const { frameDeadlineMs } = this.#options.limits;
    this.#refuse(new BrokenFrameError('invalid_message', `A frame was not complete after ${frameDeadlineMs} ms.`));
  };

  /** Says what was wrong with what came, then closes. */
  #refuse(thrown: unknown): void {
    if (thrown instanceof BrokenFrameError) this.post(brokenFrameMessage(thrown.word, thrown));
    const events = this.#events;
    this.#events = undefined;
    this.close();
    events?.closed(toMeshError(thrown));
  }

  #halfClosed(): void {
    if (!this.#closed && this.#stream.status === 'open') this.#options.onHalfClosed();
  }

  #clearFrameTimer(): void {
    this.#cancelFrameTimer?.();
    this.#cancelFrameTimer = undefined;
  }

  #end(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clearFrameTimer();
    this.#events?.closed(cause);
  }
}
