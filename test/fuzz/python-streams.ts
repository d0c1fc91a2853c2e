/**
 * Both of the Python nodes' protocols at the level of their streams, under what a test feeds them: each stream ends, nothing is
 * left of it, and nothing but frames or one line goes back. Half of the messages carry the token.
 */

import type fc from 'fast-check';
import * as assert from 'uvu/assert';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { Guard } from '../../src/p2p/python/guard.ts';
import { serveLegacyStream } from '../../src/p2p/python/legacy-stream.ts';
import { LineReader } from '../../src/p2p/python/line-reader.ts';
import { MessageStream } from '../../src/p2p/python/message-stream.ts';
import { callMessage, initializeMessage, rpcArguments } from '../../src/p2p/python/messages.ts';
import type { PythonOperations } from '../../src/p2p/python/operations.ts';
import { type SessionParts, serveSession } from '../../src/p2p/python/session.ts';
import { FrameReader } from '../../src/rpc/frames.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { bare, feedAll, frameOf, mutatedFrames, randomFrames, seed, type Wrap } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';
import { MemoryStream } from './memory-stream.ts';

const token = 'a-token-that-only-friends-know';

// Rates are kept elsewhere; here every message is to get as far as it can.
const limits = { ...defaultLimits, maxPythonFrameBytes: 64 * 1024, pythonRequestsPerSecond: 1_000_000 };

const operations = {
  run: async () => ({ ok: true, peer_id: 'node', task: { task_id: 't', payload: 'é' } }),
} as unknown as PythonOperations;

const requests = [token, undefined].flatMap((shown) => [
  rpcArguments('submit', { task_type: 'fuzz', model_name: 'm', payload: { n: 1 } }, shown),
  rpcArguments('claim', { worker_id: 'w', supported_task_types: ['fuzz'], peer_id: 'p', clock: {} }, shown),
  rpcArguments('complete', { task_id: 't', worker_id: 'w', status: 'completed', result: {}, error: null }, shown),
  rpcArguments('wait', { task_id: 't', timeout_s: 1 }, shown),
  rpcArguments('call_tool', { tool: 'x', args: {} }, shown),
]);
const legacyMessages: readonly object[] = requests;
const sessionMessages: readonly object[] = [
  initializeMessage(),
  ...requests.map((request, index) => callMessage(index, request)),
  ...requests.map((params) => ({
    type: 'request',
    method: 'task_queue.rpc',
    params,
    id: 'x',
    sender: 's',
    timestamp: 1,
  })),
  { jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} },
  { jsonrpc: '2.0', method: 'notifications/initialized' },
];

const lineOf: Wrap = (body) => Buffer.concat([bare(body), Buffer.from('\n')]);

type Serve = typeof serveSession;

/** Each message on a stream of its own, behind what opens a session; every other client goes away afterwards. */
function feedStreams(serve: Serve, first: Uint8Array | undefined) {
  return async (messages: readonly Uint8Array[]): Promise<void> => {
    const clock = new FakeClock();
    const parts: SessionParts = {
      peerId: 'node',
      clock,
      limits,
      operations,
      guard: new Guard(token, clock, limits),
    };
    const served = messages.map((message, index) => {
      const stream = new MemoryStream(serve === serveSession ? 'frames' : 'lines');
      const reader = serve === serveSession ? new FrameReader(64 * 1024) : new LineReader(64 * 1024);
      const taken = new MessageStream(stream.asStream(), {
        clock,
        reader,
        maxWaitingBytes: 64 * 1024,
        messageDeadlineMs: limits.frameDeadlineMs,
      });
      const done = serve(taken, { peerId: 'client', host: `192.0.2.${index % 200}` }, parts);
      if (first !== undefined) stream.arrive(first);
      stream.arrive(message);
      if (index % 2 === 0) stream.endOfInput();
      return { stream, done };
    });
    // Each session looks at one message per few turns; then whoever says nothing more is idle.
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(limits.pythonIdleMs + limits.frameDeadlineMs);
    await Promise.all(served.map(({ done }) => done));
    for (const { stream } of served) assert.is(stream.status, 'closed');
    assert.is(clock.pendingTimers, 0, 'no timer is left');
  };
}

export interface PythonProtocol {
  readonly name: string;
  readonly serve: Serve;
  readonly messages: readonly object[];
  readonly wrap: Wrap;
  /** What comes before each message. */
  readonly first?: Uint8Array;
}

export const sessionProtocol: PythonProtocol = {
  name: 'the Python session',
  serve: serveSession,
  messages: sessionMessages,
  wrap: frameOf,
  first: frameOf(JSON.stringify(initializeMessage())),
};

export const olderProtocol: PythonProtocol = {
  name: 'the Python node’s older protocol',
  serve: serveLegacyStream,
  messages: legacyMessages,
  wrap: lineOf,
};

/** Declares the protocol's tests and runs them. */
export function fuzzPython({ name, serve, messages, wrap, first }: PythonProtocol): void {
  const test = suite(`fuzzed ${name}`);
  console.log(`seed ${seed}`);
  const kinds: readonly [string, fc.Arbitrary<Uint8Array>][] = [
    ['random', randomFrames(wrap)],
    ['mutated', mutatedFrames(messages, wrap)],
  ];
  for (const [kind, frames] of kinds) {
    test(`100,000 ${kind} messages: no crash, no growth, no hang`, async () => {
      const feed = feedStreams(serve, first);
      await withoutGrowth(
        () => feedAll(frames, feed, 5_000),
        () => feedAll(frames, feed),
      );
    });
  }
  test.run();
}
