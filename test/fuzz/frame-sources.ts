/**
 * What is thrown at the protocols: frames that were never a message, and messages that were good before something happened to
 * them. Used by all files in this folder.
 */

import process from 'node:process';
import fc from 'fast-check';

/** Printed by each file; `TASKMESH_TEST_SEED=<seed>` repeats a run. */
export const seed = Number(process.env.TASKMESH_TEST_SEED ?? Date.now() % 0x7fffffff);

/** How many frames of each kind each protocol is given. */
export const frameCount = 100_000;

/** Frames that one property is given at once: enough for one to follow on what the one before left behind. */
const perRun = 100;

/** Calls `feed` with `count` frames in all, some at a time; a failure is made smaller and told with its seed. */
export async function feedAll(
  frames: fc.Arbitrary<Uint8Array>,
  feed: (frames: readonly Uint8Array[]) => Promise<void>,
  count: number = frameCount,
): Promise<void> {
  const runs = fc.array(frames, { minLength: perRun, maxLength: perRun });
  await fc.assert(fc.asyncProperty(runs, feed), { seed, numRuns: Math.ceil(count / perRun), endOnFailure: false });
}

/** What a parser or a table may stumble over. */
const oddTexts = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\u0000',
  '\ud800',
  'é',
  'x'.repeat(300),
];
const oddValues: readonly unknown[] = [
  ...oddTexts,
  ...[0, -0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308],
  ...[
    true,
    false,
    null,
    [],
    {},
    [null],
    [[[[]]]],
    { length: -1 },
    Object.fromEntries([['then', 1]]),
    { toString: null },
    { toJSON: 'x' },
  ],
];

const encoder = new TextEncoder();

/** A whole frame around a body: u32 big-endian length, then the bytes. */
export function frameOf(body: Uint8Array | string): Uint8Array {
  const bytes = typeof body === 'string' ? encoder.encode(body) : body;
  const frame = new Uint8Array(4 + bytes.byteLength);
  new DataView(frame.buffer).setUint32(0, bytes.byteLength);
  frame.set(bytes, 4);
  return frame;
}

/** As it is, when the protocol has no frames of its own around a body. */
export type Wrap = (body: Uint8Array | string) => Uint8Array;
export const bare: Wrap = (body) => (typeof body === 'string' ? encoder.encode(body) : body);

/** Bytes, framed bytes, framed text, framed JSON, and framed messages of nothing but odd fields. */
export function randomFrames(wrap: Wrap = frameOf): fc.Arbitrary<Uint8Array> {
  const bytes = fc.uint8Array({ maxLength: 64 });
  const odd = fc.constantFrom(...oddValues);
  const fields = fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '1.0', 2),
      id: odd,
      method: fc.oneof(fc.constantFrom('tools/call', 'notifications/cancelled', 'notifications/progress'), odd),
      params: odd,
      result: odd,
      error: odd,
    },
    { requiredKeys: ['jsonrpc'] },
  );
  return fc.oneof(
    bytes,
    bytes.map((body) => wrap(body)),
    fc.string({ maxLength: 40 }).map((text) => wrap(text)),
    fc.json({ maxDepth: 3 }).map((text) => wrap(text)),
    fields.map((message) => wrap(JSON.stringify(message))),
  );
}

/** One of the messages, after one to three accidents. */
export function mutatedFrames(messages: readonly object[], wrap: Wrap = frameOf): fc.Arbitrary<Uint8Array> {
  const texts = messages.map((message) => JSON.stringify(message));
  const text = fc.constantFrom(...texts);
  const where = fc.nat(10_000);
  const field = fc
    .tuple(text, fc.array(fc.tuple(where, fc.nat(4), fc.nat(oddValues.length - 1)), { minLength: 1, maxLength: 3 }))
    .map(([original, accidents]) => {
      const message = JSON.parse(original);
      for (const [at, kind, value] of accidents) breakField(message, at, kind, oddValues[value]);
      return wrap(JSON.stringify(message));
    });
  const byte = fc
    .tuple(text, fc.array(fc.tuple(where, fc.nat(255)), { minLength: 1, maxLength: 3 }))
    .map(([original, accidents]) => {
      const frame = wrap(original);
      for (const [at, value] of accidents) frame[at % frame.length] = value;
      return frame;
    });
  const cut = fc.tuple(text, where).map(([original, at]) => {
    const frame = wrap(original);
    return frame.subarray(0, at % frame.length);
  });
  const spliced = fc.tuple(text, text, where, where).map(([first, second, from, to]) => {
    const head = first.slice(0, from % first.length);
    return wrap(head + second.slice(to % second.length));
  });
  const unharmed = text.map((original) => wrap(original));
  return fc.oneof({ weight: 6, arbitrary: field }, byte, cut, spliced, unharmed);
}

/** Puts something else into the place of one field, takes it away, doubles it under another name, or wraps it up. */
function breakField(message: unknown, at: number, kind: number, odd: unknown): void {
  const places = placesIn(message);
  const place = places[at % Math.max(1, places.length)];
  if (place === undefined) return;
  const { holder, key } = place;
  const own = structuredClone(odd);
  if (kind === 0) delete holder[key];
  else if (kind === 1) holder[typeof own === 'string' ? own : 'odd'] = holder[key];
  else if (kind === 2) holder[key] = Array.from({ length: 70 }).reduce((inner) => [inner], holder[key]);
  else holder[key] = own;
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown, places: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return places;
  const holder = value as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    places.push({ holder, key });
    placesIn(holder[key], places);
  }
  return places;
}
