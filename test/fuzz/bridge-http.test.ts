/**
 * The bodies that the bridge's HTTP side takes, as single requests and as the lines of a session: whatever comes, the far side
 * neither crashes nor grows, and answers each with what HTTP clients can read.
 */

import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import * as assert from 'uvu/assert';
import { answerOperation, answerRequest } from '../../src/bridge/far-side/http-one-shot.ts';
import { LineReader } from '../../src/bridge/line-reader.ts';
import { checked } from '../../src/mesh/checked.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { UncheckedMesh } from '../../src/mesh/mesh.ts';
import { operationNames } from '../../src/mesh/operations.ts';
import { BrokenFrameError } from '../../src/rpc/frames.ts';
import { suite } from '../tooling/suite.ts';
import { bridgeMessages } from './bridge-messages.ts';
import { inputOf } from './carriage-messages.ts';
import { bare, feedAll, frameCount, mutatedFrames, randomFrames, seed } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';

const test = suite('fuzzed bridge over HTTP');
console.log(`seed ${seed}`);

const limits = { ...defaultLimits, maxBridgeFrameBytes: 64 * 1024, maxBodyBytes: 64 * 1024 };

let calls = 0;
const node: UncheckedMesh = {
  async call() {
    calls++;
    return {} as never;
  },
  subscribe: () => () => {},
};
const mesh = checked(node, limits);

/** An HTTP request whose body is the bytes, and what is answered. */
function exchange(body: Uint8Array): { request: IncomingMessage; response: ServerResponse; answer: () => unknown } {
  let text: string | undefined;
  const half = body.byteLength >> 1;
  const halves = [body.subarray(0, half), body.subarray(half)].filter(({ byteLength }) => byteLength > 0);
  const request = Object.assign(Readable.from(halves), { headers: {} });
  const response = Object.assign(new EventEmitter(), {
    headersSent: false,
    destroyed: false,
    writeHead() {},
    end(written: string) {
      text = written;
    },
  });
  return {
    request: request as unknown as IncomingMessage,
    response: response as unknown as ServerResponse,
    answer: () => JSON.parse(text ?? 'nothing was answered'),
  };
}

/** Each body as a JSON-RPC request, as an operation's input, and as the lines of a session. */
async function feedHttp(bodies: readonly Uint8Array[]): Promise<void> {
  const answered = bodies.flatMap((body, index) => {
    const rpc = exchange(body);
    const plain = exchange(body);
    const operation = operationNames[index % operationNames.length] ?? '';
    const both = [
      answerRequest({ ...rpc, mesh, limits }),
      answerOperation({ ...plain, mesh, limits }, index % 10 === 0 ? '__proto__' : operation),
    ];
    readLines(body);
    return both.map(async (done, which) => {
      await done;
      const answer = (which === 0 ? rpc : plain).answer() as { jsonrpc?: string; ok?: boolean };
      assert.ok(which === 0 ? answer.jsonrpc === '2.0' : typeof answer.ok === 'boolean', JSON.stringify(answer));
    });
  });
  await Promise.all(answered);
}

function readLines(body: Uint8Array): void {
  const reader = new LineReader(limits.maxBridgeFrameBytes);
  try {
    reader.push(body, () => {});
    reader.finish(() => {});
  } catch (error) {
    if (!(error instanceof BrokenFrameError)) throw error;
  }
}

test('HTTP, 100,000 random bodies: no crash, no growth, each is answered', async () => {
  await withoutGrowth(
    () => feedAll(randomFrames(bare), feedHttp, 5_000),
    () => feedAll(randomFrames(bare), feedHttp),
  );
});

test('HTTP, 100,000 mutated requests: no crash, no growth, each is answered', async () => {
  const bodies = mutatedFrames([...bridgeMessages, ...operationNames.map(inputOf)], bare);
  await withoutGrowth(
    () => feedAll(bodies, feedHttp, 5_000),
    () => feedAll(bodies, feedHttp),
  );
  assert.ok(calls > frameCount / 100, `only ${calls} calls got as far as the node`);
});

test.run();
