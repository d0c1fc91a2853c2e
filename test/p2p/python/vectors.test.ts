import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { asciiJson, float, parsePythonJson } from '../../../src/p2p/python/json.ts';
import { clockPreimage, MerkleClock, sha256 } from '../../../src/p2p/python/merkle-clock.ts';
import {
  callMessage,
  frameOf,
  initializeMessage,
  refusalMessage,
  resultMessage,
  rpcArguments,
} from '../../../src/p2p/python/messages.ts';
import { isP2PMessage, type P2PMessage, p2pMessage } from '../../../src/p2p/python/p2p-message.ts';
import { expandTaskTypes } from '../../../src/p2p/python/task-types.ts';
import { trustLevel } from '../../../src/p2p/python/token.ts';
import { BrokenFrameError, FrameReader } from '../../../src/rpc/frames.ts';
import { suite } from '../../tooling/suite.ts';
import { distances, selectOwner, taskHash } from './owner-selection.ts';
import vectors from './vectors.json' with { type: 'json' };

const maxFrameBytes = 1024 * 1024;
const test = suite('the Python node’s vectors');

const hexOf = (message: unknown): string =>
  Buffer.from(frameOf(message, maxFrameBytes) ?? new Uint8Array()).toString('hex');

/** Reads a frame byte by byte, as it may arrive. */
function readFrame(hex: string): unknown {
  const read: unknown[] = [];
  const reader = new FrameReader(maxFrameBytes);
  for (const byte of Buffer.from(hex, 'hex'))
    reader.split(Uint8Array.of(byte), (body) => read.push(parsePythonJson(body).value));
  assert.is(read.length, 1);
  return read[0];
}

test('each frame is read as what it says', () => {
  for (const { payload, frame_hex } of vectors.u32_frames) assert.equal(readFrame(frame_hex), payload);
  for (const { fields, frame_hex } of vectors.p2pmessage_frames) {
    assert.equal(readFrame(frame_hex), fields);
    assert.ok(isP2PMessage(fields));
  }
  for (const { payload } of vectors.u32_frames) assert.not(isP2PMessage(payload));
});

test('each frame is written byte for byte', () => {
  const [initialize, call, answer, refusal] = vectors.u32_frames;
  const clientInfo = { name: 'ipfs-accelerate-taskqueue-client', version: '1.0.0' };
  assert.is(hexOf(initializeMessage(clientInfo)), initialize?.frame_hex);
  const status = rpcArguments('status', { timeout_s: 10, detail: false }, 'sekret');
  assert.is(hexOf(callMessage(1, status)), call?.frame_hex);
  assert.is(hexOf(resultMessage(2, { content: { ok: true, text: 'wörld 🎉 \u2028' } })), answer?.frame_hex);
  assert.is(hexOf(refusalMessage(null, 'frame_too_large')), refusal?.frame_hex);
  for (const { fields, frame_hex } of vectors.p2pmessage_frames)
    assert.is(hexOf(p2pMessage(fields as P2PMessage)), frame_hex);
});

test('clocks have the same roots, made from the same texts', () => {
  for (const { node_id, vector, preimage, merkle_root } of vectors.merkle_clock) {
    const { merkle_root: root, vector: read } = new MerkleClock(node_id, vector as Record<string, number>).read();
    assert.is(clockPreimage(new Map(Object.entries(read))), preimage);
    assert.is(root, merkle_root);
  }
});

test('merged clocks have the same counts and root', () => {
  const { self, other, after } = vectors.merkle_merge;
  const clock = new MerkleClock(self.node_id, self.vector);
  clock.merge(other.vector);
  assert.equal(clock.read(), after);
});

test('clocks are sorted by code points, also beyond U+FFFF', () => {
  assert.is(
    clockPreimage(
      new Map([
        ['😀', 1],
        ['\uffee', 2],
        ['ab', 4],
        ['a', 3],
      ]),
    ),
    '[["a", 3], ["ab", 4], ["\\uffee", 2], ["\\ud83d\\ude00", 1]]',
  );
});

test('a clock takes nothing from outside that is no count, and grows to no more than its bound', () => {
  const clock = new MerkleClock('n');
  clock.merge({ a: -1, b: 1.5, c: '7', d: null, e: 2 ** 60, ['x'.repeat(201)]: 1, ok: 3 });
  assert.equal(clock.read().vector, { n: 1, ok: 3 });
  clock.merge(Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`p${at}`, at])));
  assert.is(Object.keys(clock.read().vector).length, 256);
  clock.merge({ n: Number.MAX_SAFE_INTEGER });
  assert.is(clock.read().vector.n, Number.MAX_SAFE_INTEGER);
});

test('the scripted Python node means tasks for the same owners, by the same hashes and distances', () => {
  for (const vector of vectors.select_owner) {
    const { task_id: taskId, task_type: taskType, model_name: modelName, clock_hash: clock, peers } = vector;
    const task = taskHash({ taskId, taskType, modelName });
    assert.is(task, vector.task_hash);
    assert.equal(distances(clock, task, peers), vector.distances);
    assert.is(selectOwner(clock, task, peers), vector.owner);
  }
  assert.is(selectOwner('', '', []), undefined);
});

test('task types have the same aliases', () => {
  for (const [name, aliases] of Object.entries(vectors.task_type_aliases)) {
    assert.equal(expandTaskTypes([name]), [...new Set(aliases)]);
    for (const alias of aliases) assert.ok(expandTaskTypes([alias]).includes(name), alias);
  }
  for (const { in: types, expanded } of vectors.normalize_task_types) assert.equal(expandTaskTypes(types), expanded);
  assert.equal(expandTaskTypes(['my.own', 'my.own']), ['my.own']);
});

test('texts have the same hashes, as in the names of cached values’ files', () => {
  for (const { key, file } of vectors.cache_key_digest) assert.is(`${sha256(key)}.json`, file);
});

test('messages have the same level of trust', () => {
  for (const { msg, token_env, level } of vectors.trust)
    assert.is(trustLevel(msg as Record<string, unknown>, token_env ?? undefined), level);
});

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');

test('NaN and Infinity are refused, with the word that was found', () => {
  for (const word of ['NaN', 'Infinity', '-Infinity']) {
    try {
      parsePythonJson(bytesOf(`{"ok": true, "loss": ${word}}`));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BrokenFrameError);
      assert.is((error as BrokenFrameError).word, 'invalid_json');
      assert.ok((error as BrokenFrameError).message.startsWith(`${word} is not JSON`));
    }
  }
});

test('numbers that would become others are named; all others are carried', () => {
  const hazard = (text: string): boolean => parsePythonJson(bytesOf(text)).hazard !== undefined;
  for (const text of ['9007199254740993', '[1,{"a":-12345678901234567890}]', '1e400', '123456789012345678901234567890'])
    assert.ok(hazard(text), text);
  for (const text of ['9007199254740991', '12345678901234567890.5', '1e300', '"12345678901234567890"', '0.1e1'])
    assert.not(hazard(text), text);
});

test('whatever is written is read again as it was, in ASCII, and the order of keys does not matter', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = asciiJson(value);
      assert.match(text, /^[\x20-\x7e]*$/);
      assert.equal(parsePythonJson(bytesOf(text)).value, JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(parsePythonJson(bytesOf('{"b":1,"a":2}')).value, { a: 2, b: 1 });
});

test('floats keep their point', () => {
  assert.is(asciiJson([float(10), float(0.5), float(-3), 10]), '[10.0,0.5,-3.0,10]');
});

test('what does not fit in ASCII goes in UTF-8, and what fits in neither goes not at all', () => {
  const message = { text: 'é'.repeat(100) };
  assert.ok(Buffer.from(frameOf(message, 300) ?? []).includes('é'));
  assert.not(Buffer.from(frameOf(message, 1000) ?? []).includes('é'));
  assert.is(frameOf(message, 200), undefined);
});

test.run();
