/**
 * A channel over loopback HTTP, the far side of it: one session. What the near side says comes by `POST`s, what this side says
 * is streamed as the answer to the `GET` that opened the session. Ends with that answer, and when nothing is posted for long.
 */

import type { ServerResponse } from 'node:http';
import { type CancelTimer, type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import type { Channel, ChannelEvents } from '../../rpc/channel.ts';
import type { RpcMessage } from '../../rpc/message.ts';
import { Outbox } from '../../rpc/outbox.ts';
import { encodeLines } from '../line-reader.ts';

export class HttpSession implements Channel {
  readonly #response: ServerResponse;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
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
    this.heard();
  }

  /** The near side has shown that it is there. */
  heard(): void {
    this.#cancelIdle();
    if (this.#closed) return;
    const { bridgeIdleMs } = this.#limits;
    this.#cancelIdle = this.#clock.setTimer(bridgeIdleMs, () =>
      this.#break(new MeshError('timeout', `Nothing came in the session for ${bridgeIdleMs} ms.`)),
    );
  }

  /** A message that came by a `POST`. */
  receive(message: unknown): void {
    if (!this.#closed) this.#events?.message(message);
  }

  post(message: RpcMessage): void {
    if (this.#closed) return;
    this.#outbox.add(message);
    if (this.bufferedBytes <= this.#limits.maxBufferedBytes + 2 * this.#limits.maxBridgeFrameBytes) return;
    this.#break(new MeshError('busy', 'The other side of the bridge does not read what is sent to it.'));
  }

  close(): void {
    if (this.#closed) return;
    const last = this.#outbox.takeAll();
    if (last.length > 0) this.#response.write(encodeLines(last));
    this.#end();
    this.#response.end();
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
    this.#events?.closed(cause);
  }
}
