/** The older protocol's message: one line of JSON, and nothing behind it. */

import { BrokenFrameError } from '../../rpc/frames.ts';
import type { MessageReader } from './message-stream.ts';

const newline = 0x0a;

export class LineReader implements MessageReader {
  readonly #maxLineBytes: number;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #done = false;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  get insideFrame(): boolean {
    return this.#bytes > 0;
  }

  /** Hands over the one line. Throws `BrokenFrameError`. */
  split(piece: Uint8Array, take: (body: Uint8Array) => void): void {
    if (piece.byteLength === 0) return;
    const end = piece.indexOf(newline);
    if (this.#done || (end >= 0 && end < piece.byteLength - 1))
      throw new BrokenFrameError('invalid_json', 'Bytes came after the line; each stream carries one.');
    this.#bytes += piece.byteLength;
    if (this.#bytes - (end >= 0 ? 1 : 0) > this.#maxLineBytes)
      throw new BrokenFrameError('frame_too_large', `The line is longer than ${this.#maxLineBytes} bytes.`);
    this.#pieces.push(end >= 0 ? piece.subarray(0, end) : piece);
    if (end < 0) return;
    this.#done = true;
    this.#bytes = 0;
    take(Buffer.concat(this.#pieces.splice(0)));
  }
}
