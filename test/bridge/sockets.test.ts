import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import process from 'node:process';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { listenSocket } from '../../src/bridge/far-side/listen-socket.ts';
import { socketChannel } from '../../src/bridge/socket-channel.ts';
import { defaultLimits, type Limits } from '../../src/mesh/limits.ts';
import type { Channel } from '../../src/rpc/channel.ts';
import { encodeFrames, encodeMessage, FrameReader } from '../../src/rpc/frames.ts';
import type { RpcMessage } from '../../src/rpc/message.ts';
import { errorCode } from '../support/error-code.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('socket channel');
const seed = Number(process.env.TASKMESH_TEST_SEED ?? Date.now() % 0x7fffffff);

interface Pair extends AsyncDisposable {
  /** What a test writes by hand. */
  raw: Socket;
  channel: Channel;
  clock: FakeClock;
  received: unknown[];
  /** Resolves when as many messages have come. */
  count(messages: number): Promise<void>;
  /** Resolves with the cause when the channel has ended. */
  closed: Promise<Error | undefined>;
}

/** What the other side said at the end of a connection, in an error that answers no request. */
async function lastWord(raw: Socket): Promise<string> {
  const reader = new FrameReader(defaultLimits.maxBridgeFrameBytes);
  let said = '';
  raw.on('error', () => {});
  raw.on('data', (piece: Uint8Array) =>
    reader.push(piece, (message) => {
      const { id, error } = message as { id: unknown; error: { message: string } };
      if (id === null) said = error.message;
    }),
  );
  await new Promise((resolve) => raw.once('close', resolve));
  return said;
}

async function open(limits: Partial<Limits> = {}): Promise<Pair> {
  const folder = await tempFolder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await listenSocket(folder.file('s'), { maxConnections: 4, serve: accepted.resolve });
  const raw = connect(folder.file('s'));
  raw.on('error', () => {});
  const clock = new FakeClock();
  const channel = socketChannel(await accepted.promise, { clock, limits: { ...defaultLimits, ...limits } });
  const received: unknown[] = [];
  const closed = Promise.withResolvers<Error | undefined>();
  let look = (): void => {};
  channel.open({
    message(message) {
      received.push(message);
      look();
    },
    closed: closed.resolve,
  });
  return {
    raw,
    channel,
    clock,
    received,
    count: (messages) =>
      new Promise((resolve) => {
        look = () => received.length >= messages && resolve();
        look();
      }),
    closed: closed.promise,
    async [Symbol.asyncDispose]() {
      raw.destroy();
      channel.close();
      listener.stopAccepting();
      await listener.close();
      await folder.remove();
    },
  };
}

const note = (text: string): RpcMessage => ({ jsonrpc: '2.0', method: 'note', params: { text } });
const framesOf = (...messages: unknown[]): Uint8Array =>
  encodeFrames(messages.map((message) => encodeMessage(message, Number.MAX_SAFE_INTEGER)));

test('messages arrive as they were sent, however their bytes are cut on the way', async () => {
  console.log(`seed ${seed}`);
  await using pair = await open();
  let expected = 0;
  const messages = fc.array(fc.string({ maxLength: 2_000, unit: 'binary' }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(messages, fc.array(fc.nat(3_000), { maxLength: 20 }), async (texts, cuts) => {
      const bytes = framesOf(...texts.map(note));
      const places = [...new Set(cuts.map((cut) => cut % bytes.length)), bytes.length].sort((a, b) => a - b);
      let from = 0;
      for (const to of places) {
        await new Promise((resolve) => pair.raw.write(bytes.subarray(from, to), resolve));
        from = to;
      }
      expected += texts.length;
      await pair.count(expected);
      assert.equal(pair.received.slice(-texts.length), JSON.parse(JSON.stringify(texts.map(note))));
    }),
    { seed, numRuns: 60 },
  );
});

test('a frame is one message: a list of several, or of a kind that is not known, is none', async () => {
  await using pair = await open();
  const call = [0, 1, 'status', {}, 100, false];
  const notMessages = [[...call, ...call], [1, 1, {}, 1, 2, {}], [7, note('x')], []];
  pair.raw.write(framesOf(...(notMessages as unknown as object[])));
  await pair.count(notMessages.length);
  assert.equal(pair.received, notMessages);
});

test('who asks by hand may send calls as JSON-RPC says', async () => {
  await using pair = await open();
  const call = { jsonrpc: '2.0', id: 1, method: 'status', params: { input: {}, _meta: {} } };
  pair.raw.write(framesOf(call, [0, 2, 'status', {}, 100, false]));
  await pair.count(2);
  assert.equal(pair.received, [call, { ...call, id: 2, params: { input: {}, _meta: { 'taskmesh/deadlineMs': 100 } } }]);
});

test('half a frame must become a whole one in time', async () => {
  await using pair = await open();
  const bytes = framesOf(note('first'), note('second'));
  pair.raw.write(bytes.subarray(0, bytes.length - 1));
  await pair.count(1);
  pair.clock.advance(defaultLimits.frameDeadlineMs);
  assert.match((await pair.closed)?.message ?? '', 'not complete');
});

test('a connection on which nothing is under way may be quiet for as long as it likes', async () => {
  await using pair = await open();
  pair.raw.write(framesOf(note('first')));
  await pair.count(1);
  pair.clock.advance(10 * defaultLimits.frameDeadlineMs);
  pair.raw.write(framesOf(note('second')));
  await pair.count(2);
  assert.is(pair.clock.pendingTimers, 0);
});

for (const [what, bytes, why] of [
  ['a frame over the limit', Buffer.from([0xff, 0xff, 0xff, 0xff]), 'announced'],
  ['a frame of nothing', Buffer.alloc(4), 'length 0'],
  ['a frame that is no JSON', Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]), 'not UTF-8 JSON'],
  ['a frame that is no UTF-8', Buffer.from([0, 0, 0, 3, 0x22, 0xff, 0x22]), 'not UTF-8 JSON'],
  ['somebody who speaks HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'announced'],
] as const) {
  test(`${what} ends the connection, and who sent it hears why`, async () => {
    await using pair = await open();
    const last = lastWord(pair.raw);
    pair.raw.write(bytes);
    assert.match((await pair.closed)?.message ?? '', why);
    assert.match(await last, why);
  });
}

test('what is too large for a frame is refused where it is sent, and the connection goes on', async () => {
  await using pair = await open({ maxBridgeFrameBytes: 1000 });
  assert.throws(() => pair.channel.post(note('x'.repeat(1000))), /one frame holds 1000/);
  pair.raw.write(framesOf(note('on')));
  await pair.count(1);
});

test('who does not read is told of as buffered bytes, and cut off in the end', async () => {
  await using pair = await open({ maxBufferedBytes: 1_000_000, maxBridgeFrameBytes: 1_000_000 });
  pair.raw.pause();
  const text = 'x'.repeat(500_000);
  pair.channel.post(note(text));
  pair.channel.post(note(text));
  assert.ok(pair.channel.bufferedBytes >= 1_000_000);
  for (let posts = 0; posts < 10; posts++) pair.channel.post(note(text));
  assert.match((await pair.closed)?.message ?? '', 'does not read');
});

test('what was posted before a close still goes out', async () => {
  await using pair = await open();
  const pieces: Uint8Array[] = [];
  pair.raw.on('data', (piece: Uint8Array) => pieces.push(piece));
  const ended = new Promise((resolve) => pair.raw.once('end', resolve));
  pair.channel.post(note('x'.repeat(200_000)));
  pair.channel.post(note('last'));
  pair.channel.close();
  await ended;
  assert.equal(Buffer.concat(pieces).byteLength, framesOf(note('x'.repeat(200_000)), note('last')).byteLength);
});

test.run();

const listening = suite('listening on a socket');
const options = { maxConnections: 4, serve: (socket: Socket) => void socket.resume() };

async function inFolder(act: (folder: TempFolder) => Promise<void>): Promise<void> {
  await using folder = await tempFolder();
  await act(folder);
}

listening('the folder is made for its owner alone, and so is the socket', () =>
  inFolder(async (folder) => {
    const listener = await listenSocket(folder.file('made/here/s'), options);
    const mode = (path: string): number => statSync(path).mode & 0o777;
    assert.equal([mode(folder.file('made/here')), mode(folder.file('made/here/s'))], [0o700, 0o600]);
    listener.stopAccepting();
    await listener.close();
    assert.not(existsSync(folder.file('made/here/s')));
  }),
);

listening('a folder that others may enter is refused', () =>
  inFolder(async (folder) => {
    mkdirSync(folder.file('open'));
    chmodSync(folder.file('open'), 0o755);
    assert.is(await errorCode(listenSocket(folder.file('open/s'), options)), 'invalid_config');
  }),
);

listening('a path that is too long for a socket is refused, and says so', () =>
  inFolder(async (folder) => {
    const path = folder.file('x'.repeat(100));
    assert.is(await errorCode(listenSocket(path, options)), 'invalid_config');
  }),
);

listening('a file in the way is left alone', () =>
  inFolder(async (folder) => {
    writeFileSync(folder.file('s'), 'mine');
    assert.is(await errorCode(listenSocket(folder.file('s'), options)), 'invalid_config');
    assert.ok(existsSync(folder.file('s')));
  }),
);

listening('a socket that answers is in use; who holds it is not disturbed', () =>
  inFolder(async (folder) => {
    const first = await listenSocket(folder.file('s'), options);
    assert.is(await errorCode(listenSocket(folder.file('s'), options)), 'address_in_use');
    const socket = connect(folder.file('s'));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    first.stopAccepting();
    await first.close();
  }),
);

listening('more connections than may be are turned away, and hear why', () =>
  inFolder(async (folder) => {
    const listener = await listenSocket(folder.file('s'), { ...options, maxConnections: 1 });
    const [one, two] = [connect(folder.file('s')), connect(folder.file('s'))];
    assert.match(await Promise.race([lastWord(one), lastWord(two)]), '1 servers are connected');
    for (const socket of [one, two]) socket.destroy();
    listener.stopAccepting();
    await listener.close();
  }),
);

listening('at its end another’s socket at the same path stays', () =>
  inFolder(async (folder) => {
    const listener = await listenSocket(folder.file('s'), options);
    rmSync(folder.file('s'));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(folder.file('s'), resolve));
    listener.stopAccepting();
    await listener.close();
    const stayed = existsSync(folder.file('s'));
    await new Promise((resolve) => other.close(resolve));
    assert.ok(stayed);
  }),
);

listening.run();
