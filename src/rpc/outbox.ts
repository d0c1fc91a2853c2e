/**
 * What waits to be written to a byte stream, one batch after the other. Messages of one tick go out together; large ones go one
 * at a time and let the small ones pass, so that a megabyte holds up nothing but itself. Used by channels over byte streams.
 *
 * Order: small messages keep theirs, large ones keep theirs. A small message never overtakes a large one of the same request:
 * of all messages only a cancellation can follow something large under its id, and it waits behind it. Progress goes before
 * all else, and of the progress of one call only the newest waits.
 */

import process from 'node:process';
import { type EncodedMessage, encodeMessage, largeFrameBytes } from './frames.ts';
import { cancelledMethod, progressMethod, type RpcId, type RpcMessage } from './message.ts';

/** A batch of small messages ends here, in bytes. */
const batchBytes = 1024 * 1024;

export interface OutboxOptions {
  maxFrameBytes: number;
  /** The form in which a message is written. Default: as it is. */
  form?(message: RpcMessage): unknown;
  /** So many small messages are written at once, without waiting for the end of the tick: the far side begins while this one goes on. */
  maxTogether?: number;
  /** Writes a batch; calls `done` when the next one may follow. */
  write(batch: readonly EncodedMessage[], done: () => void): void;
}

interface Large {
  readonly id: RpcId | undefined;
  readonly encoded: EncodedMessage;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #progress = new Map<unknown, EncodedMessage>();
  #small: EncodedMessage[] = [];
  #large: Large[] = [];
  #bytes = 0;
  #scheduled = false;
  #underWay = false;
  /** The batch before was of small ones: a large one that waits is next, however many small ones come. */
  #largeIsNext = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Bytes of messages that were not handed to `write` yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws `payload_too_large` for what does not fit in a frame. */
  add(message: RpcMessage): void {
    const { form, maxFrameBytes, maxTogether = Number.POSITIVE_INFINITY } = this.#options;
    const encoded = encodeMessage(form === undefined ? message : form(message), maxFrameBytes);
    if ('method' in message && 'id' in message) encoded.request = message.id;
    this.#bytes += encoded.bytes;
    if (encoded.bytes >= largeFrameBytes || this.#followsLarge(message)) {
      this.#large.push({ id: 'id' in message ? (message.id ?? undefined) : undefined, encoded });
    } else if ('method' in message && message.method === progressMethod) {
      const token = message.params.progressToken;
      this.#bytes -= this.#progress.get(token)?.bytes ?? 0;
      this.#progress.set(token, encoded);
    } else this.#small.push(encoded);
    if (this.#small.length >= maxTogether) this.#flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    // The tick's end, not the next microtask: answers that become ready one after the other share a write too.
    process.nextTick(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Requests that were not handed to `write` yet. */
  unsent(): Set<RpcId> {
    return requestsOf([...this.#small, ...this.#large.map(({ encoded }) => encoded)]);
  }

  /** Everything that was not written yet, in order; the channel is being closed. */
  takeAll(): EncodedMessage[] {
    const all = [...this.#takeSmall(Number.POSITIVE_INFINITY), ...this.#large.map(({ encoded }) => encoded)];
    this.clear();
    return all;
  }

  clear(): void {
    this.#progress.clear();
    this.#small = [];
    this.#large = [];
    this.#bytes = 0;
  }

  #flush(): void {
    if (this.#underWay) return;
    const small = this.#largeIsNext && this.#large.length > 0 ? [] : this.#takeSmall(batchBytes);
    const batch = small.length > 0 ? small : this.#takeLarge();
    if (batch.length === 0) return;
    this.#largeIsNext = small.length > 0;
    this.#underWay = true;
    this.#options.write(batch, () => {
      this.#underWay = false;
      this.#flush();
    });
  }

  #takeSmall(maxBytes: number): EncodedMessage[] {
    const first = this.#progress.size;
    if (first > 0) {
      this.#small = [...this.#progress.values(), ...this.#small];
      this.#progress.clear();
    }
    let bytes = 0;
    let count = 0;
    while (count < first || (count < this.#small.length && bytes < maxBytes)) bytes += this.#small[count++]?.bytes ?? 0;
    this.#bytes -= bytes;
    if (count < this.#small.length) return this.#small.splice(0, count);
    const all = this.#small;
    this.#small = [];
    return all;
  }

  #takeLarge(): EncodedMessage[] {
    const next = this.#large.shift();
    if (next === undefined) return [];
    this.#bytes -= next.encoded.bytes;
    return [next.encoded];
  }

  #followsLarge(message: RpcMessage): boolean {
    if (this.#large.length === 0 || !('method' in message) || message.method !== cancelledMethod) return false;
    return this.#large.some(({ id }) => id === message.params.requestId);
  }
}

/** The requests among messages. */
export function requestsOf(messages: readonly EncodedMessage[]): Set<RpcId> {
  return new Set(messages.flatMap(({ request }) => (request === undefined ? [] : [request])));
}
