/**
 * A channel over loopback HTTP, the far side of it: one session. What the near side says comes by `POST`s, mostly by
 * one whose body lasts as long as the session; what this side says is streamed as the answer to the `GET` that opened it. Ends with
 * that answer, and when nothing is posted for long.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CancelTimer, type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Channel, ChannelEvents } from '../../rpc/channel.ts';
import { failureOf } from '../../rpc/errors.ts';
import type { RpcMessage } from '../../rpc/message.ts';
import { Outbox } from '../../rpc/outbox.ts';
import { encodeLines, LineReader } from '../line-reader.ts';
import { cutLater, readPieces } from './http-body.ts';

export class HttpSession implements Channel {
  readonly #response: ServerResponse;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
  /** Each ends the reading of a `POST`. */
  readonly #readers = new Set<(cause: MeshError) => void>();
  #unwritten = 0;
  #closed = false;
  #cancelIdle: CancelTimer = () => {};

  /** The head of the response is written already. */
  constructor(response: ServerResponse, limits: Limits, clock: Clock = systemClock) {
    this.#response = response;
    this.#limits = limits;
    this.#clock = clock;
    this.#outbox = new Outbox({
      maxFrameBytes: limits.maxBridgeFrameBytes,
      write: (batch, done) => {
        let bytes = 0;
        for (const message of batch) bytes += message.bytes + 1;
        this.#unwritten += bytes;
        response.write(encodeLines(batch), () => {
          this.#unwritten -= bytes;
          done();
        });
      },
    });
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes + this.#unwritten;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.#response.on('error', (cause) => this.#end(cause));
    this.#response.on('close', () => this.#end());
    this.#heard();
  }

  /** Takes the messages of a `POST`, line by line as they come. Rejects with what is wrong with them, and when the session ends. */
  async read(request: IncomingMessage): Promise<void> {
    const { maxBridgeFrameBytes, frameDeadlineMs, maxSessionBodies } = this.#limits;
    if (this.#closed) throw ended();
    if (this.#readers.size >= maxSessionBodies)
      throw new MeshError(
        'busy',
        `${maxSessionBodies} bodies of this session are being read already. Send one that lasts.`,
      );
    const reader = new LineReader(maxBridgeFrameBytes);
    const sessionEnd = Promise.withResolvers<never>();
    let cancelTimer: CancelTimer | undefined;
    const clearTimer = (): void => {
      cancelTimer?.();
      cancelTimer = undefined;
    };
    const deliver = (message: unknown): void => {
      clearTimer();
      if (!this.#closed) this.#events?.message(message);
    };
    const whole = readPieces(request, (piece) => {
      if (this.#closed) throw ended();
      this.#heard();
      reader.push(piece, deliver);
      if (!reader.insideLine || this.#closed) clearTimer();
      else cancelTimer ??= this.#clock.setTimer(frameDeadlineMs, () => this.#refuse(halfLine(frameDeadlineMs)));
    });
    this.#readers.add(sessionEnd.reject);
    try {
      await Promise.race([whole, sessionEnd.promise]);
      reader.finish(deliver);
    } finally {
      clearTimer();
      this.#readers.delete(sessionEnd.reject);
      // The answer says that the connection ends; who goes on all the same is cut.
      if (!request.readableEnded) cutLater(request, this.#clock);
    }
  }

  /** The near side has shown that it is there. */
  #heard(): void {
    this.#cancelIdle();
    if (this.#closed) return;
    const { bridgeIdleMs } = this.#limits;
    this.#cancelIdle = this.#clock.setTimer(bridgeIdleMs, () =>
      this.#break(new MeshError('timeout', `Nothing came in the session for ${bridgeIdleMs} ms.`)),
    );
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

  /** The near side hears why. */
  #refuse(cause: MeshError): void {
    if (this.#closed) return;
    this.#outbox.add({ jsonrpc: '2.0', id: null, error: failureOf(cause) });
    this.#endAfterLastWords(cause);
  }

  #endAfterLastWords(cause?: Error): void {
    const last = this.#outbox.takeAll();
    if (last.length > 0) this.#response.write(encodeLines(last));
    this.#end(cause);
    this.#response.end();
    cutLater(this.#response, this.#clock);
  }

  #break(cause: Error): void {
    this.#end(cause);
    this.#response.destroy();
  }

  #end(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelIdle();
    this.#outbox.clear();
    for (const reject of this.#readers) reject(ended());
    this.#events?.closed(cause);
  }
}

const ended = (): MeshError => new MeshError('invalid_message', 'The session has ended. Open one by GET /rpc.');

const halfLine = (frameDeadlineMs: number): MeshError =>
  new MeshError('invalid_message', `A line was not complete after ${frameDeadlineMs} ms.`);
