import * as assert from 'uvu/assert';
import { SupervisedMesh, type SupervisorOptions } from '../../src/bridge/supervised-mesh.ts';
import { workerWay } from '../../src/bridge/worker-way.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { CallOptions, MeshEvent } from '../../src/mesh/mesh.ts';
import { errorCode } from '../support/error-code.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('worker layout');

interface Bench extends AsyncDisposable {
  mesh: SupervisedMesh;
  /** Why the thread was given up. */
  down: Promise<Error>;
  ask(key: string, value?: unknown, options?: CallOptions): Promise<{ value: unknown }>;
  /** The same through an operation that must not be repeated. */
  claim(key: string): Promise<unknown>;
}

async function open(node: { refuse?: boolean } = {}, patience: SupervisorOptions['patience'] = {}): Promise<Bench> {
  const down = Promise.withResolvers<Error>();
  const main = new URL('./far-side/scripted-main.ts', import.meta.url);
  const way = workerWay({ node, logLevel: 'fatal', main });
  const mesh = new SupervisedMesh(way, { onDown: down.resolve, patience });
  await mesh.start();
  return {
    mesh,
    down: down.promise,
    ask: (key, value, options) => mesh.call('cache_set', { key, value } as never, options) as never,
    claim: (key) => mesh.call('claim', { key } as never),
    [Symbol.asyncDispose]: () => mesh.stop(),
  };
}

test('a call crosses and its answer comes back', async () => {
  await using bench = await open();
  const value = { text: 'wörld 🎉', list: [1, null, true], nested: { deep: [[]] } };
  assert.equal((await bench.ask('echo', value)).value, value);
});

test('a megabyte crosses both ways', async () => {
  await using bench = await open();
  const value = 'x'.repeat(1024 * 1024);
  assert.is((await bench.ask('echo', value)).value, value);
});

test('ten thousand calls at once are all answered, each with its own answer', async () => {
  await using bench = await open();
  const answers = await Promise.all(Array.from({ length: 10_000 }, (_, index) => bench.ask('echo', index)));
  assert.equal(
    answers.map(({ value }) => value),
    Array.from({ length: 10_000 }, (_, index) => index),
  );
});

test('an error of the far side comes back as itself', async () => {
  await using bench = await open();
  try {
    await bench.ask('refuse');
    assert.unreachable();
  } catch (error) {
    assert.instance(error, MeshError);
    assert.equal((error as MeshError).toFailure(), {
      ok: false,
      error: 'queue_full',
      message: 'The queue is full.',
      retryable: true,
      details: { max: 3 },
    });
  }
});

test('what cannot be cloned is refused, and its neighbours of the same tick are not', async () => {
  await using bench = await open();
  const codes = await Promise.all([
    errorCode(bench.ask('echo', 1)),
    errorCode(bench.ask('echo', () => 1)),
    errorCode(bench.ask('uncloneable')),
    errorCode(bench.ask('echo', 2)),
  ]);
  assert.equal(codes, ['none', 'invalid_params', 'internal_error', 'none']);
});

test('a thousand cancelled calls leave nothing waiting in the thread', async () => {
  await using bench = await open();
  const controller = new AbortController();
  const codes = Array.from({ length: 1000 }, () => errorCode(bench.ask('wait', null, { signal: controller.signal })));
  assert.is((await bench.ask('waiting')).value, 1000);
  controller.abort();
  assert.equal(new Set(await Promise.all(codes)), new Set(['cancelled']));
  assert.is((await bench.ask('waiting')).value, 0);
});

test('a deadline ends the call on both sides', async () => {
  await using bench = await open();
  assert.is(await errorCode(bench.ask('wait', null, { deadlineMs: 20 })), 'timeout');
  assert.is((await bench.ask('waiting')).value, 0);
});

test('progress crosses in order', async () => {
  await using bench = await open();
  const steps: unknown[] = [];
  await bench.ask('progress', null, { onProgress: ({ progress }) => steps.push(progress) });
  assert.equal(steps, [1, 2, 3]);
});

test('events cross in order while somebody listens, and not afterwards', async () => {
  await using bench = await open();
  const events: MeshEvent[] = [];
  const unsubscribe = bench.mesh.subscribe((event) => events.push(event));
  assert.is((await bench.ask('event')).value, 1);
  assert.equal(
    events.map((event) => event.type === 'task' && event.attempt),
    [1, 2, 3],
  );
  unsubscribe();
  assert.is((await bench.ask('event')).value, 0);
  assert.is(events.length, 3);
});

test('a node that does not start says why, and no thread is left', async () => {
  assert.is(await errorCode(open({ refuse: true })), 'data_folder_locked');
});

for (const how of ['throw', 'exit']) {
  test(`a thread that ends by ${how} fails what is in flight at once, and is reported`, async () => {
    const bench = await open({}, { maxRestarts: 0 });
    const inFlight = Array.from({ length: 10 }, () => errorCode(bench.claim('wait')));
    const fatal = errorCode(bench.claim(how));
    assert.equal(new Set(await Promise.all([...inFlight, fatal])), new Set(['mesh_down']));
    assert.instance(await bench.down, Error);
    assert.is(bench.mesh.health().state, 'failed');
    assert.is(await errorCode(bench.ask('echo')), 'mesh_down');
    await bench.mesh.stop();
  });
}

test('stopping twice is stopping once, and calls afterwards are refused', async () => {
  const bench = await open();
  await Promise.all([bench.mesh.stop(), bench.mesh.stop()]);
  await bench.mesh.stop();
  assert.is(await errorCode(bench.ask('echo')), 'mesh_down');
});

test.run();
