/** What every way of hopping looks like to the subject `hop`: asks with a payload, and is answered with the same. */

export interface HopWay {
  /** `payload` is one that `payloadOf` made, `bytes` long. */
  ask(payload: HopPayload): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The same bytes as text, for those who carry values, and as a frame, for those who carry bytes. */
export interface HopPayload {
  readonly bytes: number;
  readonly input: { readonly key: string; readonly value: string };
  /** u32 big-endian length, and the bytes. */
  readonly frame: Buffer;
}

export function payloadOf(bytes: number): HopPayload {
  const value = 'x'.repeat(bytes);
  const frame = Buffer.alloc(4 + bytes, 'x');
  frame.writeUInt32BE(bytes, 0);
  return { bytes, input: { key: 'k', value }, frame };
}
