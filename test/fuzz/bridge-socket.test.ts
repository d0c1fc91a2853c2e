/**
 * The bridge's socket protocol at the level of its stream: whatever comes, the far side neither crashes nor grows nor hangs,
 * and says nothing but messages.
 */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { serveChannel } from '../../src/bridge/far-side/serve-channel.ts';
import { unpack } from '../../src/bridge/packed.ts';
import { socketChannel } from '../../src/bridge/socket-channel.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { UncheckedMesh } from '../../src/mesh/mesh.ts';
import { isOperationName } from '../../src/mesh/operations.ts';
import type { Endpoint } from '../../src/rpc/endpoint.ts';
import { FrameReader } from '../../src/rpc/frames.ts';
import { kindOf } from '../../src/rpc/message.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { bridgeMessages, hello } from './bridge-messages.ts';
import { feedAll, frameCount, frameOf, mutatedFrames, randomFrames, seed } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';

const test = suite('fuzzed bridge socket');
console.log(`seed ${seed}`);

const limits = { ...defaultLimits, maxBridgeFrameBytes: 64 * 1024 };

let calls = 0;
const node: UncheckedMesh = {
  async call(name) {
    assert.ok(isOperationName(name), `the node was called with ${name}`);
    calls++;
    return {} as never;
  },
  subscribe: () => () => {},
};

/** What a socket channel needs of a socket. */
class MemorySocket extends EventEmitter {
  readonly writableLength = 0;
  destroyed = false;
  readonly sent: unknown[] = [];
  readonly #reader = new FrameReader(64 * 1024 * 1024);

  asSocket(): Socket {
    return this as EventEmitter as Socket;
  }

  write(data: Uint8Array | string, encoding?: BufferEncoding): boolean {
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding) : data;
    this.#reader.push(bytes, (body) => unpack(body, (message) => this.sent.push(message)));
    return true;
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

interface Near {
  readonly socket: MemorySocket;
  readonly endpoint: Endpoint;
  readonly clock: FakeClock;
}

function connected(): Near {
  const socket = new MemorySocket();
  const clock = new FakeClock();
  const channel = socketChannel(socket.asSocket(), { clock, limits });
  const endpoint = serveChannel(channel, { node: () => node, limits });
  socket.emit('data', frameOf(JSON.stringify(hello)));
  return { socket, endpoint, clock };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function feedSocket(frames: readonly Uint8Array[]): Promise<void> {
  const all: Near[] = [];
  let near: Near | undefined;
  for (const frame of frames) {
    if (near === undefined || near.socket.destroyed) {
      near = connected();
      all.push(near);
    }
    near.socket.emit('data', frame);
  }
  await turn();
  for (const { clock } of all) clock.advance(limits.frameDeadlineMs);
  await turn();
  for (const { endpoint } of all) endpoint.close();
  await turn();
  for (const { socket, endpoint, clock } of all) {
    for (const message of socket.sent) assert.ok(kindOf(message), JSON.stringify(message));
    assert.ok(socket.destroyed);
    assert.equal([endpoint.serving, endpoint.inFlight, clock.pendingTimers], [0, 0, 0]);
  }
}

test('a socket, 100,000 random frames: no crash, no growth, no hang', async () => {
  await withoutGrowth(
    () => feedAll(randomFrames(), feedSocket, 5_000),
    () => feedAll(randomFrames(), feedSocket),
  );
});

test('a socket, 100,000 mutated messages: no crash, no growth, no hang', async () => {
  const frames = mutatedFrames(bridgeMessages);
  await withoutGrowth(
    () => feedAll(frames, feedSocket, 5_000),
    () => feedAll(frames, feedSocket),
  );
  assert.ok(calls > frameCount / 10, `only ${calls} calls got as far as the node`);
});

test('what every object has is no verb', async () => {
  const { socket, endpoint } = connected();
  for (const method of ['toString', 'constructor', '__proto__', 'valueOf'])
    socket.emit('data', frameOf(JSON.stringify({ jsonrpc: '2.0', id: method, method, params: {} })));
  await turn();
  const answers = socket.sent.filter((message) => (message as { id: unknown }).id !== 5);
  assert.is(answers.length, 4);
  for (const answer of answers) assert.ok('error' in (answer as object), JSON.stringify(answer));
  endpoint.close();
});

test.run();
