import * as assert from 'uvu/assert';
import { memoryChannels } from '../../src/bridge/memory-channel.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { Endpoint, type EndpointOptions, type Handler } from '../../src/rpc/endpoint.ts';
import type { RpcMessage } from '../../src/rpc/message.ts';
import { errorCode } from '../support/error-code.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('rpc endpoint');

interface Bench {
  near: Endpoint;
  far: Endpoint;
  clock: FakeClock;
  ends: ReturnType<typeof memoryChannels>;
}

function connect(handle: Handler, options: Partial<EndpointOptions> = {}): Bench {
  const ends = memoryChannels();
  const clock = new FakeClock();
  const common = {
    clock,
    maxInFlight: 100,
    maxBufferedBytes: 1000,
    closedError: () => new MeshError('mesh_down', 'gone'),
    ...options,
  };
  const near = new Endpoint(ends[0], { ...common, handle: async () => ({}) });
  const far = new Endpoint(ends[1], { ...common, handle });
  return { near, far, clock, ends };
}

/** Lets everything that is already on its way arrive. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a request is answered with what the far side returned', async () => {
  const { near } = connect(async (method, params) => ({ method, got: params.input }));
  assert.equal(await near.request('sum', { input: [1, 2] }, { deadlineMs: 1000 }), { method: 'sum', got: [1, 2] });
});

test('a coded error comes back as itself', async () => {
  const { near } = connect(async () => {
    throw new MeshError('stale_fence', 'The lease was lost.', { details: { fence: 3 } });
  });
  try {
    await near.request('x', {}, { deadlineMs: 1000 });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, MeshError);
    assert.equal((error as MeshError).toFailure(), {
      ok: false,
      error: 'stale_fence',
      message: 'The lease was lost.',
      retryable: false,
      details: { fence: 3 },
    });
  }
});

test('an unknown error is typed, and its text stays at the far side, which is told of it', async () => {
  const faults: string[] = [];
  const { near } = connect(
    async () => {
      throw new Error('secret path');
    },
    { onFault: (method, thrown) => faults.push(`${method}: ${(thrown as Error).message}`) },
  );
  try {
    await near.request('x', {}, { deadlineMs: 1000 });
    assert.unreachable();
  } catch (error) {
    assert.is((error as MeshError).code, 'internal_error');
    assert.not.match((error as MeshError).message, 'secret');
  }
  assert.equal(faults, ['x: secret path']);
});

test('a passed deadline fails the call with timeout and stops the far side', async () => {
  const { near, far, clock } = connect((_method, _params, call) => untilAborted(call.signal));
  const code = errorCode(near.request('slow', {}, { deadlineMs: 500 }));
  await settled();
  assert.is(far.serving, 1);
  clock.advance(500);
  assert.is(await code, 'timeout');
  await settled();
  assert.is(far.serving, 0);
  assert.is(near.inFlight, 0);
});

test('the far side obeys the deadline even when the cancellation is lost', async () => {
  const { far, clock, ends } = connect((_method, _params, call) => untilAborted(call.signal));
  ends[0].post({ jsonrpc: '2.0', id: 1, method: 'slow', params: { _meta: { 'taskmesh/deadlineMs': 200 } } });
  await settled();
  assert.is(far.serving, 1);
  clock.advance(200);
  await settled();
  assert.is(far.serving, 0);
});

test('a thousand cancelled calls leave nothing registered on either side', async () => {
  const { near, far } = connect((_method, _params, call) => untilAborted(call.signal), { maxInFlight: 2000 });
  const controller = new AbortController();
  const codes = Array.from({ length: 1000 }, () =>
    errorCode(near.request('slow', {}, { deadlineMs: 60_000, signal: controller.signal })),
  );
  await settled();
  assert.is(far.serving, 1000);
  controller.abort();
  assert.equal(new Set(await Promise.all(codes)), new Set(['cancelled']));
  await settled();
  assert.is(near.inFlight, 0);
  assert.is(far.serving, 0);
});

test('a result that comes after the caller gave up can be undone', async () => {
  const gate = Promise.withResolvers<void>();
  const { near } = connect(() => gate.promise.then(() => ({ lease: 7 })));
  const controller = new AbortController();
  const late = Promise.withResolvers<unknown>();
  const code = errorCode(
    near.request('claim', {}, { deadlineMs: 1000, signal: controller.signal, onLate: late.resolve }),
  );
  controller.abort();
  assert.is(await code, 'cancelled');
  gate.resolve();
  assert.equal(await late.promise, { lease: 7 });
});

test('a call whose signal has fired already is not sent', async () => {
  let served = 0;
  const { near } = connect(async () => ++served);
  assert.is(await errorCode(near.request('x', {}, { deadlineMs: 10, signal: AbortSignal.abort() })), 'cancelled');
  await settled();
  assert.is(served, 0);
});

test('calls that repeat an id count each, so that no more are served than may be', async () => {
  const gate = Promise.withResolvers<object>();
  const { far, ends } = connect(() => gate.promise, { maxInFlight: 2 });
  const answers: unknown[] = [];
  const raw = ends[0];
  const request: RpcMessage = { jsonrpc: '2.0', id: 1, method: 'x', params: {} };
  raw.open({ message: (message) => answers.push(message), closed() {} });
  for (let count = 0; count < 3; count++) raw.post(request);
  await settled();
  assert.is(far.serving, 2);
  assert.is((answers as { error: { data: { error: string } } }[])[0]?.error.data.error, 'busy');
  gate.resolve({});
  await settled();
  assert.is(far.serving, 0);
  assert.is(answers.length, 3);
});

test('the end of the channel stops every call of a repeated id, not only the newest', async () => {
  const { far, ends } = connect((_method, _params, call) => untilAborted(call.signal));
  ends[0].open({ message() {}, closed() {} });
  for (let count = 0; count < 3; count++) ends[0].post({ jsonrpc: '2.0', id: 1, method: 'slow', params: {} });
  await settled();
  assert.is(far.serving, 3);
  ends[0].close();
  await settled();
  assert.is(far.serving, 0);
});

test('what is no message ends the channel, and who sent it hears why', async () => {
  const { ends } = connect(async () => ({}));
  const answers: unknown[] = [];
  const closed = Promise.withResolvers<void>();
  ends[0].open({ message: (message) => answers.push(message), closed: () => closed.resolve() });
  ends[0].post('nonsense' as never);
  await closed.promise;
  const [{ id, error }] = answers as [{ id: unknown; error: { message: string } }];
  assert.is(id, null);
  assert.match(error.message, 'no message of JSON-RPC');
});

test('more calls than allowed are refused as busy, and work again when some ended', async () => {
  const gate = Promise.withResolvers<number>();
  const { near } = connect(() => gate.promise, { maxInFlight: 2 });
  const first = [near.request('x', {}, { deadlineMs: 1000 }), near.request('x', {}, { deadlineMs: 1000 })];
  assert.is(await errorCode(near.request('x', {}, { deadlineMs: 1000 })), 'busy');
  gate.resolve(1);
  await Promise.all(first);
  assert.is(await near.request('x', {}, { deadlineMs: 1000 }), 1);
});

test('a far side that reads too slowly is not written to without bound', async () => {
  const { near, ends } = connect(async () => 1);
  ends[0].bufferedBytes = 1001;
  assert.is(await errorCode(near.request('x', {}, { deadlineMs: 1000 })), 'busy');
});

test('the end of the channel fails what is in flight and stops what is being served', async () => {
  const { near, far, ends } = connect((_method, _params, call) => untilAborted(call.signal));
  const code = errorCode(near.request('slow', {}, { deadlineMs: 60_000 }));
  await settled();
  ends[1].close();
  assert.is(await code, 'mesh_down');
  await settled();
  assert.is(far.serving, 0);
  assert.is(await errorCode(near.request('x', {}, { deadlineMs: 10 })), 'mesh_down');
});

test('progress arrives in order, only for those who asked, and never after the answer', async () => {
  const { near } = connect(async (_method, _params, call) => {
    for (const step of [1, 2, 3]) call.progress({ step });
    queueMicrotask(() => queueMicrotask(() => call.progress({ step: 4 })));
    return call.wantsProgress;
  });
  const steps: unknown[] = [];
  assert.is(await near.request('x', {}, { deadlineMs: 10, onProgress: ({ step }) => steps.push(step) }), true);
  assert.is(await near.request('x', {}, { deadlineMs: 10 }), false);
  await settled();
  assert.equal(steps, [1, 2, 3]);
});

test('a repeated id is served like any other', async () => {
  const served: unknown[] = [];
  const { ends } = connect(async (method) => served.push(method));
  for (const method of ['initialize', 'tools/call']) ends[0].post({ jsonrpc: '2.0', id: 1, method, params: {} });
  await settled();
  assert.equal(served, ['initialize', 'tools/call']);
});

for (const [what, message] of Object.entries({
  'a bare number': 7,
  'another version': { jsonrpc: '1.0', id: 1, method: 'x' },
  'params that are a list': { jsonrpc: '2.0', id: 1, method: 'x', params: [] },
  'an id that is an object': { jsonrpc: '2.0', id: {}, method: 'x' },
  'a response without outcome': { jsonrpc: '2.0', id: 1 },
  'an error without code': { jsonrpc: '2.0', id: 1, error: {} },
})) {
  test(`${what} is no message and ends the channel`, async () => {
    const { near, far, ends } = connect(async () => 1);
    ends[0].post(message as never);
    await settled();
    assert.ok(far.closed);
    assert.ok(near.closed);
  });
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

test.run();
