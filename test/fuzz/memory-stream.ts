/** A libp2p stream with nothing behind it: what is sent is collected, what arrives is what a test hands in. */

import type { Stream } from '@libp2p/interface';
import { LineReader } from '../../src/bridge/line-reader.ts';
import { FrameReader } from '../../src/rpc/frames.ts';

/** Far more than any protocol here sends at once. */
const maxSentBytes = 64 * 1024 * 1024;

export class MemoryStream extends EventTarget {
  readonly writeBufferLength = 0;
  readonly readableEnded = false;
  status: 'open' | 'closed' | 'aborted' = 'open';
  readStatus: 'readable' | 'paused' = 'readable';
  readonly #reader: FrameReader | LineReader;
  /** Whole messages that were sent; it throws when what was sent is no frame, or no line. */
  readonly sent: unknown[] = [];

  constructor(framing: 'frames' | 'lines' = 'frames') {
    super();
    this.#reader = framing === 'frames' ? new FrameReader(maxSentBytes) : new LineReader(maxSentBytes);
  }

  asStream(): Stream {
    return this as unknown as Stream;
  }

  arrive(data: Uint8Array): void {
    if (this.status === 'open') this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  /** The far side will send nothing more. */
  endOfInput(): void {
    if (this.status === 'open') this.dispatchEvent(new Event('end'));
  }

  send(bytes: Uint8Array): boolean {
    if (this.status !== 'open') throw new Error('sent on a stream that is closed');
    this.#reader.push(bytes, (message) => this.sent.push(message));
    return true;
  }

  pause(): void {
    this.readStatus = 'paused';
  }

  resume(): void {
    this.readStatus = 'readable';
  }

  async close(): Promise<void> {
    this.#end('closed');
  }

  abort(): void {
    this.#end('aborted');
  }

  #end(status: 'closed' | 'aborted'): void {
    if (this.status !== 'open') return;
    this.status = status;
    this.dispatchEvent(new Event('close'));
  }
}
