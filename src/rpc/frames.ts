/**
 * Frames: u32 big-endian length, then UTF-8 JSON. `FrameReader` takes bytes as they come, in whatever pieces; `encodeFrames`
 * makes one buffer of all messages that go out together, because encryption costs per write.
 */

import { isUtf8 } from 'node:buffer';
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
  /** What came of the frame that is being read; together `#buffered` bytes, fewer than `#wanted`. */
  #pieces: Uint8Array[] = [];
  #buffered = 0;
  /** The length of the frame that is being read, with its header; that of the header alone until it is there. */
  #wanted = headerBytes;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Whether a frame has begun and not ended. */
  get insideFrame(): boolean {
    return this.#buffered > 0;
  }

  /** Hands each whole message to `deliver`. Throws `BrokenFrameError`; the reader must not be used afterwards. */
  push(piece: Uint8Array, deliver: (message: unknown) => void): void {
    this.split(piece, (body) => deliver(parseFrame(body)));
  }

  /** Hands each whole frame's body to `take`, to be parsed later. Throws like `push`. */
  split(piece: Uint8Array, take: (body: Uint8Array) => void): void {
    this.#pieces.push(piece);
    this.#buffered += piece.byteLength;
    if (this.#buffered < this.#wanted) return;
    // Most frames come whole. Bytes are copied only where a frame is spread over several pieces.
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    let from = 0;
    for (;;) {
      this.#buffered = bytes.byteLength - from;
      this.#wanted = headerBytes + (this.#buffered < headerBytes ? 0 : this.#lengthAt(bytes, from));
      if (this.#buffered < this.#wanted) break;
      const to = from + this.#wanted;
      take(bytes.subarray(from + headerBytes, to));
      from = to;
    }
    this.#pieces = this.#buffered === 0 ? [] : [bytes.subarray(from)];
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    let length = 0;
    for (let i = at; i < at + headerBytes; i++) length = length * 256 + (bytes[i] ?? 0);
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
}

/** The message in a frame's body, or in a line. Throws `BrokenFrameError`. */
export function parseFrame(body: Uint8Array): unknown {
  try {
    // A decoder that throws by itself takes four times as long on Node.
    if (!isUtf8(body)) throw new TypeError('Not UTF-8.');
    const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return JSON.parse(buffer.toString());
  } catch (cause) {
    throw new BrokenFrameError('invalid_json', 'A message came that is not UTF-8 JSON.', { cause });
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

/**
 * All the frames as text, a character for each byte, to be written as `latin1`: a socket takes that without a buffer made for it,
 * which is a good part of what a small message costs. Undefined when there is more in them than ASCII, or much.
 */
export function frameText(messages: readonly EncodedMessage[]): string | undefined {
  let all = '';
  for (const { text, bytes } of messages) {
    if (bytes !== text.length || all.length + bytes >= largeFrameBytes) return undefined;
    all += String.fromCharCode(bytes >>> 24, (bytes >>> 16) & 0xff, (bytes >>> 8) & 0xff, bytes & 0xff) + text;
  }
  return all;
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
