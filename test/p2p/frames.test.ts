import { Buffer } from 'node:buffer';
import process from 'node:process';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  BrokenFrameError,
  encodeFrames,
  encodeMessage,
  FrameReader,
  frameText,
  largeFrameBytes,
} from '../../src/rpc/frames.ts';
import { suite } from '../tooling/suite.ts';

const maxFrameBytes = 1024 * 1024;
const seed = Number(process.env.TASKMESH_TEST_SEED ?? Date.now() % 0x7fffffff);

/** Feeds the bytes in pieces that are cut at the given places. */
function readInPieces(bytes: Uint8Array, cuts: number[]): unknown[] {
  const reader = new FrameReader(maxFrameBytes);
  const messages: unknown[] = [];
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const to of places) {
    reader.push(bytes.subarray(from, to), (message) => messages.push(message));
    from = to;
  }
  assert.is(reader.insideFrame, false, 'nothing is left over');
  return messages;
}

function brokenBy(bytes: Uint8Array, limit = maxFrameBytes): BrokenFrameError {
  try {
    new FrameReader(limit).push(bytes, () => {});
  } catch (error) {
    if (error instanceof BrokenFrameError) return error;
    throw error;
  }
  throw new Error('the frame was accepted');
}

const frames = suite('frames');

frames('any messages come out as they went in, however their bytes are cut into pieces', () => {
  console.log(`seed ${seed}`);
  const messages = fc.array(fc.jsonValue({ maxDepth: 4 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.nat(5_000), { maxLength: 60 }), (sent, cuts) => {
      const bytes = encodeFrames(sent.map((message) => encodeMessage(message, maxFrameBytes)));
      assert.equal(readInPieces(bytes, cuts), JSON.parse(JSON.stringify(sent)));
    }),
    { seed, numRuns: 500 },
  );
});

frames('what is ASCII may be written as text, and makes the same bytes', () => {
  console.log(`seed ${seed}`);
  const texts = fc.string({ unit: fc.constantFrom('a', '"', '\u007f', '\u0080', 'é', '🚀', '\ud800'), maxLength: 300 });
  const messages = fc.array(fc.oneof(fc.string({ maxLength: 1000 }), texts), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(messages, (sent) => {
      const encoded = sent.map((message) => encodeMessage(message, maxFrameBytes));
      const text = frameText(encoded);
      assert.is(
        text === undefined,
        encoded.some((each) => each.bytes !== each.text.length),
      );
      if (text !== undefined) assert.equal(Buffer.from(text, 'latin1'), encodeFrames(encoded));
    }),
    { seed, numRuns: 500 },
  );
});

frames('what is large is not written as text', () => {
  const half = encodeMessage('x'.repeat(largeFrameBytes / 2), maxFrameBytes);
  assert.is.not(frameText([half]), undefined);
  assert.is(frameText([half, half]), undefined);
});

frames('bytes that come one at a time make the same message', () => {
  const bytes = encodeFrames([encodeMessage({ text: 'größer als € 🚀' }, maxFrameBytes)]);
  const cuts = Array.from(bytes, (_, index) => index);
  assert.equal(readInPieces(bytes, cuts), [{ text: 'größer als € 🚀' }]);
});

frames('the length is 32 bits, big-endian, of the UTF-8 bytes', () => {
  const bytes = encodeFrames([encodeMessage('é', maxFrameBytes)]);
  assert.equal([...bytes], [0, 0, 0, 4, 0x22, 0xc3, 0xa9, 0x22]);
});

frames('a length of 0 is refused', () => {
  assert.is(brokenBy(new Uint8Array(4)).word, 'invalid_message');
});

frames('a length over the limit is refused before any of its bytes is waited for', () => {
  assert.is(brokenBy(Uint8Array.of(0, 0, 1, 1), 256).word, 'frame_too_large');
  assert.is(brokenBy(Uint8Array.of(0xff, 0xff, 0xff, 0xff)).word, 'frame_too_large');
});

frames('what is not JSON, and what is not UTF-8, is refused', () => {
  assert.is(brokenBy(Uint8Array.of(0, 0, 0, 1, 0x7b)).word, 'invalid_json');
  assert.is(brokenBy(Uint8Array.of(0, 0, 0, 3, 0x22, 0xff, 0x22)).word, 'invalid_json');
  assert.is(brokenBy(encodeFrames([{ text: '{"a": NaN}', bytes: 10 }])).word, 'invalid_json');
});

frames('a message that the far side would refuse is not sent', () => {
  assert.throws(
    () => encodeMessage('x'.repeat(300), 256),
    (error: Error) => 'code' in error && error.code === 'payload_too_large',
  );
});

frames.run();
