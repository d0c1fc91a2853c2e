/**
 * Frames: u32 big-endian length, then UTF-8 JSON. `FrameReader` takes bytes as they come, in whatever pieces; `encodeFrames`
 * makes one buffer of all messages that go out together, because encryption costs per write.
 */

import { MeshError } from '../mesh/errors.ts';
import type { RpcId } from './message.ts';

/** Why a stream of frames cannot go on, in the words that the wire between peers has for it. */
export type BrokenFrame = 'frame_too_large' | 'invalid_json' | 'invalid_message';

const headerBytes = 4;

/** From here on a message is large, in bytes: reading, parsing and writing it are noticed by others. */
export const largeFrameBytes = 64 * 1024;

/** Thrown by the reader: the stream cannot go on. */
export class BrokenFrameError extends MeshError {
  readonly word: BrokenFrame;

  constructor(word: BrokenFrame, message: string, options?: ErrorOptions) {
    super(word, message, options);
    this.word = word;
  }
}

export class FrameReader {
  readonly #maxFrameBytes: number;
  /** Pieces that are not used up yet; together `#buffered` bytes, fewer than a frame and its header. */
  #pieces: Uint8Array[] = [];
  #buffered = 0;
  /** Length of the frame that is being read, once its header is there. */
  #expected: number | undefined;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Whether a frame has begun and not ended. */
  get insideFrame(): boolean {
    return this.#buffered > 0 || this.#expected !== undefined;
  }

  /** Hands each whole message to `deliver`. Throws `BrokenFrameError`; the reader must not be used afterwards. */
  push(piece: Uint8Array, deliver: (message: unknown) => void): void {
    this.split(piece, (body) => deliver(parseFrame(body)));
  }

  /** Hands each whole frame's body to `take`, to be parsed later. Throws like `push`. */
  split(piece: Uint8Array, take: (body: Uint8Array) => void): void {
    this.#pieces.push(piece);
    this.#buffered += piece.byteLength;
    for (;;) {
      this.#expected ??= this.#readHeader();
      if (this.#expected === undefined || this.#buffered < this.#expected) return;
      const body = this.#take(this.#expected);
      this.#expected = undefined;
      take(body);
    }
  }

  #readHeader(): number | undefined {
    if (this.#buffered < headerBytes) return undefined;
    const header = this.#take(headerBytes);
    const length = new DataView(header.buffer, header.byteOffset, headerBytes).getUint32(0);
    if (length === 0)
      throw new BrokenFrameError('invalid_message', 'A frame of length 0 came; each frame is one message.');
    if (length > this.#maxFrameBytes) {
      throw new BrokenFrameError(
        'frame_too_large',
        `A frame announced ${length} bytes; at most ${this.#maxFrameBytes} are allowed.`,
      );
    }
    return length;
  }

  /** Takes bytes from the front. Joins pieces only when the bytes are spread over several. */
  #take(bytes: number): Uint8Array {
    this.#buffered -= bytes;
    const first = this.#pieces[0];
    if (first !== undefined && first.byteLength >= bytes) {
      if (first.byteLength === bytes) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    const all = Buffer.concat(this.#pieces);
    this.#pieces = all.byteLength > bytes ? [all.subarray(bytes)] : [];
    return all.subarray(0, bytes);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The message in a frame's body. Throws `BrokenFrameError`. */
export function parseFrame(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch (cause) {
    throw new BrokenFrameError('invalid_json', 'A frame came that is not UTF-8 JSON.', { cause });
  }
}

/** A message as text, with the bytes that it takes as UTF-8. */
export interface EncodedMessage {
  readonly text: string;
  readonly bytes: number;
  /** The request that this is, for who wants to know whether it was written. */
  request?: RpcId;
}

/** Throws `payload_too_large` when the far side would refuse the frame. */
export function encodeMessage(message: unknown, maxFrameBytes: number): EncodedMessage {
  const text = JSON.stringify(message);
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxFrameBytes) return { text, bytes };
  throw new MeshError(
    'payload_too_large',
    `The message is ${bytes} bytes of JSON; one frame holds ${maxFrameBytes}. Ask for less at once.`,
    { details: { bytes, max_bytes: maxFrameBytes } },
  );
}

/** One buffer with all the frames. */
export function encodeFrames(messages: readonly EncodedMessage[]): Uint8Array {
  let total = 0;
  for (const { bytes } of messages) total += headerBytes + bytes;
  const buffer = Buffer.allocUnsafe(total);
  let at = 0;
  for (const { text, bytes } of messages) {
    buffer.writeUInt32BE(bytes, at);
    buffer.write(text, at + headerBytes, bytes, 'utf8');
    at += headerBytes + bytes;
  }
  return buffer;
}
