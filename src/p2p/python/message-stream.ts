/**
 * One libp2p stream as messages that are taken one at a time, for sessions in which one request is in flight: the next bytes are
 * looked at when the one before was answered. Used by both sides of the Python wire.
 *
 * While more waits than one message may be long, reading pauses: what a far side can pile up here is bounded.
 */

import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { BrokenFrameError } from '../../rpc/frames.ts';

/** Cuts bytes into messages: frames (`FrameReader`) or lines (`LineReader`). */
export interface MessageReader {
  split(piece: Uint8Array, take: (body: Uint8Array) => void): void;
  readonly insideFrame: boolean;
}

/** How long a closed stream may take to hand over what was written before it is cut, in milliseconds. */
const lingerMs = 1_000;

export interface MessageStreamOptions {
  readonly clock: Clock;
  readonly reader: MessageReader;
  /** Bytes of whole messages that may wait. */
  readonly maxWaitingBytes: number;
  /** From a message's first byte to its last, in milliseconds. */
  readonly messageDeadlineMs: number;
}

export class MessageStream {
  /** Fires when nothing can be sent or received any more. */
  readonly closed: AbortSignal;
  readonly #stream: Stream;
  readonly #options: MessageStreamOptions;
  readonly #closing = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Why no more messages will come: a broken one, or the far side's end. */
  #end: { readonly error?: Error } | undefined;
  #wake: (() => void) | undefined;
  #cancelMessageTimer: CancelTimer | undefined;

  constructor(stream: Stream, options: MessageStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    this.closed = this.#closing.signal;
    stream.addEventListener('close', () => this.#ended());
    stream.addEventListener('end', () => this.#over());
    stream.addEventListener('message', (event: StreamMessageEvent) => this.#receive(event.data));
    if (stream.status !== 'open') this.#ended();
    else if (stream.readableEnded) this.#over();
  }

  /**
   * The next message; undefined when the far side has ended. Rejects with `BrokenFrameError`, and with `timeout` when none has
   * begun to come in time. One call at a time.
   */
  async next(deadlineMs: number): Promise<Uint8Array | undefined> {
    if (this.#waiting.length === 0 && this.#end === undefined) await this.#more(deadlineMs);
    const body = this.#waiting.shift();
    if (body !== undefined) {
      this.#waitingBytes -= body.byteLength;
      this.#flow();
      return body;
    }
    if (this.#end?.error !== undefined) throw this.#end.error;
    return undefined;
  }

  /** Resolves when the bytes are handed on, or the stream has ended: a reader that does not read is waited for, and then cut off. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.closed.aborted) return;
    let taken = true;
    try {
      taken = this.#stream.send(bytes);
    } catch (error) {
      this.abort(error as Error);
    }
    if (taken || this.closed.aborted) return;
    await new Promise<void>((resolve) => {
      const { clock, messageDeadlineMs } = this.#options;
      const cancelTimer = clock.setTimer(messageDeadlineMs, () => this.abort(new Error('what was sent is not read')));
      const done = (): void => {
        cancelTimer();
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      this.#stream.addEventListener('drain', done, { once: true });
      this.closed.addEventListener('abort', done, { once: true });
    });
  }

  /** Ends both directions; what was sent goes out first. Idempotent. */
  close(): void {
    if (this.closed.aborted) return;
    const cancelLinger = this.#options.clock.setTimer(lingerMs, () => this.abort(new Error('not closed in time')));
    this.#stream.addEventListener('close', cancelLinger);
    this.#stream.close().catch((error: Error) => this.abort(error));
    this.#ended();
  }

  abort(error: Error): void {
    this.#stream.abort(error);
    this.#ended();
  }

  #more(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.clock.setTimer(deadlineMs, () => {
        if (this.#options.reader.insideFrame) return; // the message's own deadline goes on
        this.#wake = undefined;
        reject(new MeshError('timeout', `Nothing came within ${deadlineMs} ms.`));
      });
      this.#wake = () => {
        this.#wake = undefined;
        cancelTimer();
        resolve();
      };
    });
  }

  #receive(data: StreamMessageEvent['data']): void {
    if (this.#end !== undefined) return;
    try {
      for (const piece of data instanceof Uint8Array ? [data] : data) this.#options.reader.split(piece, this.#take);
    } catch (thrown) {
      this.#over(thrown as Error);
      return;
    }
    this.#flow();
    if (!this.#options.reader.insideFrame) this.#clearMessageTimer();
    else this.#cancelMessageTimer ??= this.#options.clock.setTimer(this.#options.messageDeadlineMs, this.#onHalf);
  }

  readonly #take = (body: Uint8Array): void => {
    this.#clearMessageTimer();
    this.#waiting.push(body);
    this.#waitingBytes += body.byteLength;
    this.#wake?.();
  };

  readonly #onHalf = (): void => {
    const what = `A message was not complete after ${this.#options.messageDeadlineMs} ms.`;
    this.#over(new BrokenFrameError('invalid_message', what));
  };

  #flow(): void {
    const full = this.#waitingBytes > this.#options.maxWaitingBytes;
    if (full && this.#stream.readStatus === 'readable') this.#stream.pause();
    if (!full && this.#stream.readStatus === 'paused') this.#stream.resume();
  }

  /** No more messages; answers may still go out. */
  #over(error?: Error): void {
    this.#clearMessageTimer();
    const half = this.#options.reader.insideFrame && error === undefined;
    const cause = half ? new BrokenFrameError('invalid_message', 'The stream ended inside of a message.') : error;
    this.#end ??= cause === undefined ? {} : { error: cause };
    this.#wake?.();
  }

  #ended(): void {
    this.#clearMessageTimer();
    this.#end ??= {};
    this.#closing.abort();
    this.#wake?.();
  }

  #clearMessageTimer(): void {
    this.#cancelMessageTimer?.();
    this.#cancelMessageTimer = undefined;
  }
}
