/**
 * Fewer frames than elsewhere, over real connections to a real node: a libp2p stream, the bridge's socket, the bridge's HTTP.
 * Each handful ends within its time, and afterwards the node serves others as before.
 */

import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { startP2pService } from '../../src/bridge/far-side/p2p-service.ts';
import { ownToken } from '../../src/bridge/far-side/token-file.ts';
import { unpack } from '../../src/bridge/packed.ts';
import { verbs } from '../../src/bridge/protocol.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { operationNames } from '../../src/mesh/operations.ts';
import { FrameReader } from '../../src/rpc/frames.ts';
import { optionsIn, rawCarriage, rawHost, request, startNode, statusOf, until } from '../p2p/support.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { bridgeMessages, hello } from './bridge-messages.ts';
import { carriageMessages, inputOf } from './carriage-messages.ts';
import { bare, frameOf, mutatedFrames, randomFrames, seed } from './frame-sources.ts';

const test = suite('fuzzed connections');
console.log(`seed ${seed}`);

/** Frames of each kind, and how many of them go on one connection before it is asked whether it is still there. */
const count = 3_000;
const handful = 5;

/** Half a frame must become a whole one within this. */
const frameDeadlineMs = 200;

/** A handful, its answer or its end included: far beyond `frameDeadlineMs`, and far below for ever. */
const patienceMs = 10_000;

function handfuls(frames: fc.Arbitrary<Uint8Array>): Uint8Array[][] {
  const all = fc.sample(frames, { seed, numRuns: count });
  return Array.from({ length: count / handful }, (_, index) => all.slice(index * handful, (index + 1) * handful));
}

async function inTime<T>(what: string, done: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} did not end within ${patienceMs} ms`)), patienceMs);
  return Promise.race([done, promise]).finally(() => clearTimeout(timer));
}

for (const [kind, frames] of [
  ['random frames', randomFrames()],
  ['mutated messages', mutatedFrames(carriageMessages())],
] as const) {
  test(`${kind} over libp2p: the node serves on, and no stream is left`, async () => {
    await using node = await startNode({ limits: { frameDeadlineMs, maxFaults: count } });
    await using stranger = await rawHost([]);
    for (const some of handfuls(frames)) {
      const carriage = await rawCarriage(stranger, node.address);
      for (const frame of some) if (carriage.stream.status === 'open') carriage.bytes(frame);
      const answered = (async () => {
        if (carriage.stream.status === 'open') carriage.send({ ...request('server/discover'), id: 'last' });
        for (;;) {
          const message = await carriage.next();
          if (message === undefined || message.id === 'last') return;
        }
      })();
      await inTime('a handful of frames', Promise.race([answered, carriage.closed]));
      carriage.stream.abort(new Error('done'));
    }
    await using other = await startNode();
    assert.is((await other.mesh.call('status', { remote_multiaddr: node.address })).peer_id, node.peerId);
    await stranger.stop();
    await until(() => Object.keys(node.node.carriageStreams).every((peerId) => peerId === other.peerId));
    await statusOf(node);
  });
}

/** Sends frames after a hello, and a last ping; resolves with whether that was answered, or else the connection had ended. */
async function overSocket(path: string, frames: readonly Uint8Array[]): Promise<boolean> {
  const socket: Socket = connect(path);
  const reader = new FrameReader(64 * 1024 * 1024);
  const answered = await new Promise<boolean>((resolve) => {
    const take = (message: unknown): void => {
      if ((message as { id: unknown }).id === 'last') resolve(true);
    };
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
    socket.on('data', (piece) => reader.push(piece as Uint8Array, (body) => unpack(body, take)));
    socket.write(frameOf(JSON.stringify(hello)));
    for (const frame of frames) socket.write(frame);
    socket.write(frameOf(JSON.stringify({ jsonrpc: '2.0', id: 'last', method: verbs.ping, params: {} })));
  });
  socket.destroy();
  return answered;
}

function post(port: number, path: string, token: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-length': String(body.byteLength) };
    const asking = httpRequest({ host: '127.0.0.1', port, method: 'POST', path, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

for (const [kind, frames, bodies] of [
  ['random frames', randomFrames(), randomFrames(bare)],
  [
    'mutated messages',
    mutatedFrames(bridgeMessages),
    mutatedFrames([...bridgeMessages, ...operationNames.map(inputOf)], bare),
  ],
] as const) {
  test(`${kind} over the bridge’s socket and HTTP: the service serves on`, async () => {
    await using folder = await tempFolder();
    const path = folder.file('s/p2p.sock');
    const service = await startP2pService({
      node: optionsIn(folder.file('data')),
      rpc: [
        { kind: 'unix', path },
        { kind: 'http', host: '127.0.0.1', port: 0 },
      ],
      limits: { ...defaultLimits, frameDeadlineMs },
    });
    const port = service.rpc.flatMap((address) => (address.kind === 'http' ? [address.port] : []))[0] ?? 0;
    const token = await ownToken(folder.file('data'));
    assert.ok(await inTime('a ping', overSocket(path, [])), 'the hello is one that the service takes');
    for (const some of handfuls(frames)) await inTime('a handful of frames', overSocket(path, some));
    for (const [index, some] of handfuls(bodies).entries()) {
      const asked = some.map((body, at) =>
        post(port, at % 2 === 0 ? '/rpc' : `/rpc/${operationNames[index % operationNames.length]}`, token, body),
      );
      await inTime('a handful of bodies', Promise.all(asked));
      for (const status of await Promise.all(asked))
        assert.ok(status >= 200 && status < 600 && status !== 500, `${status}`);
    }
    assert.is((await service.mesh.call('status', {})).peer_id.length > 0, true);
    assert.ok(await inTime('a ping', overSocket(path, [])));
    await service.stop();
  });
}

test.run();
