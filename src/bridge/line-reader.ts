/**
 * Reads messages that are one line of JSON each (NDJSON), from bytes in whatever pieces they come: what crosses by HTTP, where
 * a body has its own framing and people may want to read along.
 */

import { BrokenFrameError, type EncodedMessage, parseFrame } from '../rpc/frames.ts';

const newline = 0x0a;

export class LineReader {
  readonly #maxLineBytes: number;
  #pieces: Uint8Array[] = [];
  #buffered = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Whether a line has begun and not ended. */
  get insideLine(): boolean {
    return this.#buffered > 0;
  }

  /** Hands each whole message to `deliver`. Throws `BrokenFrameError`; the reader must not be used afterwards. */
  push(bytes: Uint8Array, deliver: (message: unknown) => void): void {
    let start = 0;
    for (;;) {
      // Empty lines are passed over where they stand: a flood of them is to cost nothing.
      if (this.#buffered === 0) while (bytes[start] === newline) start++;
      const end = bytes.indexOf(newline, start);
      if (end < 0) break;
      this.#keep(bytes.subarray(start, end));
      start = end + 1;
      deliver(parseFrame(this.#take()));
    }
    this.#keep(bytes.subarray(start));
  }

  /** Nothing more will come: a last line without its end counts too. */
  finish(deliver: (message: unknown) => void): void {
    const line = this.#take();
    if (line.byteLength > 0) deliver(parseFrame(line));
  }

  #keep(piece: Uint8Array): void {
    if (piece.byteLength === 0) return;
    this.#buffered += piece.byteLength;
    if (this.#buffered > this.#maxLineBytes) {
      throw new BrokenFrameError('frame_too_large', `A line is longer than the ${this.#maxLineBytes} bytes allowed.`);
    }
    this.#pieces.push(piece);
  }

  #take(): Uint8Array {
    const [first] = this.#pieces;
    const all = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#buffered = 0;
    return all;
  }
}

/** The lines of a batch. JSON text never holds a line's end. */
export function encodeLines(batch: readonly EncodedMessage[]): string {
  return `${batch.map(({ text }) => text).join('\n')}\n`;
}
