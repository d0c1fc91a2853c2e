/**
 * A channel over a byte stream: a Unix socket, by `node:net`, on both runtimes. Frames are those of `src/rpc/frames.ts`, each with one
 * message, calls and results packed (`packed.ts`).
 *
 * Half a frame must become a whole one within `frameDeadlineMs`. What breaks the framing ends the channel. A reader that does
 * not read is cut off when `maxBufferedBytes` and some more wait for it; calls are refused before.
 */

import type { Socket } from 'node:net';
import { type CancelTimer, type Clock, systemClock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import { defaultLimits, type Limits } from '../mesh/limits.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import { failureOf } from '../rpc/errors.ts';
import { type EncodedMessage, encodeFrames, FrameReader, frameText } from '../rpc/frames.ts';
import type { RpcMessage } from '../rpc/message.ts';
import { Outbox } from '../rpc/outbox.ts';
import { maxTogether, packOne, unpackOne } from './packed.ts';

/** How long a closed socket may take to hand over what was written before it is cut, in milliseconds. */
const lingerMs = 1_000;

export interface SocketChannelOptions {
  clock?: Clock;
  limits?: Pick<Limits, 'maxBridgeFrameBytes' | 'maxBufferedBytes' | 'frameDeadlineMs'>;
}

/** The socket is connected, and is the channel's from here on. */
export function socketChannel(
  socket: Socket,
  { clock = systemClock, limits = defaultLimits }: SocketChannelOptions = {},
): Channel {
  return new SocketChannel(socket, clock, limits);
}

class SocketChannel implements Channel {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, 'maxBridgeFrameBytes' | 'maxBufferedBytes' | 'frameDeadlineMs'>;
  readonly #reader: FrameReader;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
  #closed = false;
  #cancelFrameTimer: CancelTimer | undefined;

  constructor(
    socket: Socket,
    clock: Clock,
    limits: Pick<Limits, 'maxBridgeFrameBytes' | 'maxBufferedBytes' | 'frameDeadlineMs'>,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#limits = limits;
    this.#reader = new FrameReader(limits.maxBridgeFrameBytes);
    this.#outbox = new Outbox({
      maxFrameBytes: limits.maxBridgeFrameBytes,
      maxTogether,
      form: packOne,
      // Its callback comes a turn later: what waits meanwhile would wait for nothing while the socket still takes more.
      write: (batch, done) => void (this.#write(batch) ? done() : socket.once('drain', done)),
    });
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes + this.#socket.writableLength;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    const socket = this.#socket;
    socket.on('error', (cause) => this.#end(cause));
    socket.on('close', () => this.#end());
    // The far side ends both directions at once; half of a connection is of no use.
    socket.on('end', () => socket.end());
    socket.on('data', (piece) => this.#receive(piece as Uint8Array));
    if (socket.destroyed) queueMicrotask(() => this.#end());
  }

  post(message: RpcMessage): void {
    if (this.#closed) return;
    this.#outbox.add(message);
    if (this.bufferedBytes <= this.#limits.maxBufferedBytes + 2 * this.#limits.maxBridgeFrameBytes) return;
    this.#break(new MeshError('busy', 'The other side of the bridge does not read what is sent to it.'));
  }

  close(): void {
    if (!this.#closed) this.#endAfterLastWords();
  }

  /** The far side hears why, if it still listens. */
  #refuse(cause: MeshError): void {
    this.#outbox.add({ jsonrpc: '2.0', id: null, error: failureOf(cause) });
    this.#endAfterLastWords(cause);
  }

  #endAfterLastWords(cause?: Error): void {
    const last = this.#outbox.takeAll();
    if (last.length > 0) this.#write(last);
    this.#end(cause);
    const cancelLinger = this.#clock.setTimer(lingerMs, () => this.#socket.destroy());
    this.#socket.once('close', cancelLinger);
    this.#socket.end();
  }

  /** Answers whether the socket takes more. */
  #write(batch: readonly EncodedMessage[]): boolean {
    const text = frameText(batch);
    return text === undefined ? this.#socket.write(encodeFrames(batch)) : this.#socket.write(text, 'latin1');
  }

  #receive(piece: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#reader.push(piece, this.#deliver);
    } catch (thrown) {
      this.#refuse(toMeshError(thrown));
      return;
    }
    if (!this.#reader.insideFrame || this.#closed) this.#clearFrameTimer();
    else this.#cancelFrameTimer ??= this.#clock.setTimer(this.#limits.frameDeadlineMs, this.#onHalfFrame);
  }

  readonly #deliver = (body: unknown): void => {
    this.#clearFrameTimer();
    unpackOne(body, this.#handOver);
  };

  readonly #handOver = (message: unknown): void => {
    if (!this.#closed) this.#events?.message(message);
  };

  readonly #onHalfFrame = (): void => {
    const { frameDeadlineMs } = this.#limits;
    this.#refuse(new MeshError('invalid_message', `A frame was not complete after ${frameDeadlineMs} ms.`));
  };

  #break(cause: Error): void {
    this.#end(cause);
    this.#socket.destroy();
  }

  #clearFrameTimer(): void {
    this.#cancelFrameTimer?.();
    this.#cancelFrameTimer = undefined;
  }

  #end(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#clearFrameTimer();
    this.#outbox.clear();
    this.#events?.closed(cause);
  }
}
