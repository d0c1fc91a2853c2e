/** Cuts a stream of bytes into frames, u32 big-endian length and payload, as cheaply as can be. Used by the floors. */

export class FrameCutter {
  readonly #onFrame: (frame: Buffer) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of the frame that is under way, its length included; 4 while that is not known. */
  #wanted = 4;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wanted) return;
    let rest: Buffer = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    for (;;) {
      this.#wanted = rest.length < 4 ? 4 : 4 + rest.readUInt32BE(0);
      if (rest.length < this.#wanted) break;
      this.#onFrame(rest.subarray(0, this.#wanted));
      rest = rest.subarray(this.#wanted);
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }
}
