/**
 * The two protocols of the door for Python nodes, at the level of their streams: whatever a client sends, the node neither crashes
 * nor grows nor hangs, and says nothing but messages.
 */

import type { Stream } from '@libp2p/interface';
import * as assert from 'uvu/assert';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { UncheckedMesh } from '../../src/mesh/mesh.ts';
import type { OperationName } from '../../src/mesh/operations.ts';
import { Guard } from '../../src/p2p/python/guard.ts';
import type { LeaseBook } from '../../src/p2p/python/lease-book.ts';
import { serveLegacyStream } from '../../src/p2p/python/legacy-stream.ts';
import { LineReader } from '../../src/p2p/python/line-reader.ts';
import { MessageStream } from '../../src/p2p/python/message-stream.ts';
import { callMessage, initializeMessage } from '../../src/p2p/python/messages.ts';
import { PythonOperations } from '../../src/p2p/python/operations.ts';
import { Scheduler } from '../../src/p2p/python/scheduler.ts';
import { type SessionParts, serveSession } from '../../src/p2p/python/session.ts';
import { FrameReader } from '../../src/rpc/frames.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';
import { bare, feedAll, frameOf, mutatedFrames, randomFrames, seed } from './frame-sources.ts';
import { withoutGrowth } from './heap.ts';
import { MemoryStream } from './memory-stream.ts';

const test = suite('fuzzed door for Python nodes');
console.log(`seed ${seed}`);

const token = 'a-token-for-tests-only';
const limits = { ...defaultLimits, maxPythonFrameBytes: 64 * 1024, pythonRequestsPerSecond: 1_000_000_000 };
const id = 'a'.repeat(32);
const asker = { peerId: 'peer', host: '127.0.0.1' };

const row = {
  ...{ task_id: id, task_type: 't', model_name: '', status: 'queued', priority: 5, attempt: 1, max_attempts: 3 },
  ...{ created_at: 1, updated_at: 1, next_attempt_at: null, lease_until: null, heartbeat_at: null, error: null },
  ...{ assigned_worker: null, idempotency_key: null, payload: {}, result: null, fence: 1, cancelled: true },
};
const answers: Partial<Record<OperationName, unknown>> = {
  get: { task: row },
  claim: { task: row },
  list: { tasks: [row], cursor: null },
  status: { capabilities: { task_types: [], tools: [] }, queue: {} },
};

/** Answers everything, now or, where it waits, when it is given up. */
const node: UncheckedMesh = {
  call: (name, _input, { signal } = {}) => {
    if (name !== 'wait') return Promise.resolve((answers[name] ?? row) as never);
    return new Promise((_, reject) => {
      const give = (): void => reject(new MeshError('cancelled', 'It was given up.'));
      if (signal?.aborted) give();
      else signal?.addEventListener('abort', give, { once: true });
    });
  },
  subscribe: () => () => {},
};

const book: LeaseBook = {
  open: async ({ taskId }) => taskId,
  find: async (told) => ({ taskId: told, fence: 1, caller: 'peer' }),
  taskOf: async (told) => told,
  [Symbol.asyncDispose]: async () => {},
};

function partsFor(clock: FakeClock): SessionParts {
  const operations = new PythonOperations({
    ...{ peerId: 'us', everybody: 'all', book, leaseSeconds: 300, legacy: true, limits },
    meshFor: () => checked(node, limits),
    scheduler: new Scheduler('us', clock),
    addresses: () => [],
  });
  return { peerId: 'us', clock, limits, operations, guard: new Guard(token, clock, limits) };
}

/** What is sent here are lines, not frames. */
class LineStream extends MemoryStream {
  readonly lines: string[] = [];

  override send(bytes: Uint8Array): boolean {
    this.lines.push(Buffer.from(bytes).toString('utf8'));
    return true;
  }
}

interface Client<Kind extends MemoryStream> {
  readonly stream: Kind;
  readonly clock: FakeClock;
  readonly served: Promise<void>;
}

function connect<Kind extends MemoryStream>(stream: Kind, serve: typeof serveSession): Client<Kind> {
  const clock = new FakeClock();
  const { maxPythonFrameBytes: maxWaitingBytes, frameDeadlineMs: messageDeadlineMs } = limits;
  const Reader = stream instanceof LineStream ? LineReader : FrameReader;
  const reader = new Reader(maxWaitingBytes);
  const asStream = stream.asStream() as Stream;
  const messages = new MessageStream(asStream, { clock, reader, maxWaitingBytes, messageDeadlineMs });
  return { stream, clock, served: serve(messages, asker, partsFor(clock)) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ends by the clock what has not ended by itself; then nothing may be left. */
async function end({ clock, served, stream }: Client<MemoryStream>): Promise<void> {
  let ended = false;
  served.then(() => {
    ended = true;
  });
  for (let round = 0; round < 5 && !ended; round++) {
    await turn();
    clock.advance(limits.maxWaitMs);
  }
  // A wait goes on for as long as its client is there.
  if (!ended) await stream.close();
  await served;
  clock.advance(limits.maxWaitMs);
  assert.is(clock.pendingTimers, 0, 'no timer is left');
}

/** Frames on sessions; the next one begins where one of them broke it. */
async function feedSessions(frames: readonly Uint8Array[]): Promise<void> {
  const clients: Client<MemoryStream>[] = [];
  let client: Client<MemoryStream> | undefined;
  for (const [index, frame] of frames.entries()) {
    if (client === undefined || index % 10 === 0 || client.stream.status !== 'open') {
      client = connect(new MemoryStream(), serveSession);
      clients.push(client);
      if (index % 20 !== 0) client.stream.arrive(frameOf(JSON.stringify(initializeMessage())));
    }
    client.stream.arrive(frame);
    if (index % 3 === 0) await turn();
  }
  await Promise.all(clients.map(end));
  for (const each of clients) {
    for (const message of each.stream.sent) {
      const { jsonrpc, type, error, result } = message as Record<string, unknown>;
      assert.ok(jsonrpc === '2.0' ? (error === undefined) !== (result === undefined) : type === 'response');
    }
  }
}

async function feedLines(lines: readonly Uint8Array[]): Promise<void> {
  const clients = lines.map((line) => {
    const client = connect(new LineStream(), serveLegacyStream);
    client.stream.arrive(line.subarray(0, line.length >> 1));
    client.stream.arrive(line.subarray(line.length >> 1));
    return client;
  });
  await Promise.all(clients.map(end));
  for (const { stream } of clients) {
    const said = stream.lines.join('');
    if (said !== '') assert.type(JSON.parse(said).ok, 'boolean');
  }
}

const requests: Record<string, unknown>[] = [
  { op: 'submit', task_type: 't', payload: { a: 1, priority: 3, idempotency_key: 'k', next_attempt_at: 1 } },
  { op: 'claim', worker_id: 'w', supported_task_types: ['tts'], peer_id: 'w', clock: { vector: { w: 1 } } },
  { op: 'claim_many', worker_id: 'w', task_types: ['t'], limit: 3, same_type: true },
  { op: 'complete', task_id: id, status: 'completed', result: { b: 2 }, error: null },
  { op: 'release', task_id: id, worker_id: 'w', reason: 'r' },
  { op: 'heartbeat', peer_id: 'w', clock: { node_id: 'w', vector: { w: 1, x: 2 } } },
  { op: 'list', status: 'queued', limit: 10, task_types: ['t'] },
  { op: 'cancel', task_id: id, reason: 'r' },
  { op: 'status', detail: true, timeout_s: 1 },
  { op: 'call_tool', tool: 't', args: { a: 1 }, timeout_s: 1 },
  { op: 'cache.set', key: 'k', value: [1], ttl_s: 1, replicate: false },
  { op: 'cache.get', key: 'k' },
  { op: 'get', task_id: id },
  { op: 'wait', task_id: id, timeout_s: 1 },
].map((request) => ({ ...request, token }));

const messages = [
  initializeMessage(),
  { jsonrpc: '2.0', id: 1, method: 'tools/list' },
  ...requests.map((request) => callMessage(1, request)),
  ...requests.map((params) => ({
    type: 'request',
    method: 'task_queue.rpc',
    params,
    id: 'x',
    sender: 'p',
    timestamp: 1,
  })),
];
const lines = (body: Uint8Array | string): Uint8Array => Buffer.concat([bare(body), Buffer.from('\n')]);

for (const [what, frames, feed] of [
  ['100,000 random frames', randomFrames(), feedSessions],
  ['100,000 mutated messages', mutatedFrames(messages), feedSessions],
  ['100,000 random lines', randomFrames(lines), feedLines],
  ['100,000 mutated lines', mutatedFrames(requests, lines), feedLines],
] as const)
  test(`${what}: no crash, no growth, no hang`, async () => {
    await withoutGrowth(
      () => feedAll(frames, feed, 5_000),
      () => feedAll(frames, feed),
    );
  });

test.run();
