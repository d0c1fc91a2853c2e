import * as assert from 'uvu/assert';
import type { FarSideLife, FarSideWay } from '../../src/bridge/far-side-life.ts';
import { defaultPatience } from '../../src/bridge/patience.ts';
import { SupervisedMesh, type SupervisorOptions } from '../../src/bridge/supervised-mesh.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { CheckedInput, OperationName } from '../../src/mesh/operations.ts';
import { errorCode } from '../support/error-code.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('supervisor');

const down = (): MeshError => new MeshError('mesh_down', 'gone');

/** A far side in the test's hands. */
interface ScriptedLife {
  calls: { name: string; answer: (output: unknown) => void; fail: (error: MeshError) => void }[];
  watched: boolean[];
  silent: boolean;
  stopped: boolean;
  killed: boolean;
  closed: boolean;
  /** Ends it as a crash does: what is in flight fails, then the end is known. */
  crash(): void;
}

class ScriptedWay implements FarSideWay {
  readonly layout = 'scripted';
  owned = true;
  /** Thrown by the next starts, one each. */
  refusals: MeshError[] = [];
  lives: ScriptedLife[] = [];
  opened = Promise.withResolvers<ScriptedLife>();
  /** Set: a start hangs until its signal fires. */
  hangs = false;

  async open(_events: unknown, signal: AbortSignal): Promise<FarSideLife> {
    if (this.hangs)
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    const ended = Promise.withResolvers<Error>();
    const life: ScriptedLife = {
      calls: [],
      watched: [],
      silent: false,
      stopped: false,
      killed: false,
      closed: false,
      crash() {
        life.closed = true;
        for (const call of life.calls.splice(0)) call.fail(down());
        ended.resolve(new Error('crashed'));
      },
    };
    this.lives.push(life);
    this.opened.resolve(life);
    this.opened = Promise.withResolvers();
    return {
      ended: ended.promise,
      async stop() {
        life.stopped = true;
        life.crash();
      },
      async kill() {
        life.killed = true;
        life.crash();
      },
      near: {
        hello: async () => ({
          protocol: 1,
          build: '',
          limits: { maxInFlight: 1, maxBufferedBytes: 1, maxFrameBytes: 1 },
        }),
        ask: (_verb, _params, deadlineMs) => (life.silent ? timeoutAfter(this.clock, deadlineMs) : Promise.resolve({})),
        watch: (on) => life.watched.push(on),
        get closed() {
          return life.closed;
        },
        get inFlight() {
          return life.calls.length;
        },
        close: () => {},
        call: (name) =>
          new Promise((answer, fail) => life.calls.push({ name, answer: answer as (output: unknown) => void, fail })),
      },
    };
  }

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  readonly clock: FakeClock;
}

function timeoutAfter(clock: FakeClock, ms: number): Promise<never> {
  return new Promise((_resolve, reject) => clock.setTimer(ms, () => reject(new MeshError('timeout', 'silent'))));
}

interface Bench {
  clock: FakeClock;
  way: ScriptedWay;
  mesh: SupervisedMesh;
  givenUp: Error[];
  life(index?: number): ScriptedLife;
  call<Name extends OperationName>(name: Name, input?: object, options?: object): Promise<unknown>;
}

function bench(patience: SupervisorOptions['patience'] = {}): Bench {
  const clock = new FakeClock();
  const way = new ScriptedWay(clock);
  const givenUp: Error[] = [];
  const mesh = new SupervisedMesh(way, { clock, random: () => 1, patience, onDown: (cause) => givenUp.push(cause) });
  return {
    clock,
    way,
    mesh,
    givenUp,
    life(index = -1) {
      const life = way.lives.at(index);
      if (life === undefined) throw new Error('There is no such life.');
      return life;
    },
    call: (name, input = {}, options = {}) => mesh.call(name, input as CheckedInput<typeof name>, options),
  };
}

/** Lets what is already decided happen. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('it is up when the far side is, and says so', async () => {
  const { mesh, clock } = bench();
  assert.is(mesh.health().state, 'stopped');
  await mesh.start();
  assert.equal(mesh.health(), {
    layout: 'scripted',
    state: 'up',
    restarts: 0,
    in_flight: 0,
    since: clock.nowMs() / 1000,
    last_error: null,
  });
  await mesh.stop();
  assert.is(clock.pendingTimers, 0);
});

test('a far side that refuses to start makes start fail with its own error', async () => {
  const { mesh, way } = bench();
  way.refusals.push(new MeshError('data_folder_locked', 'held'));
  assert.is(await errorCode(mesh.start()), 'data_folder_locked');
  assert.is(mesh.health().state, 'stopped');
});

test('a far side that does not start in time makes start fail', async () => {
  const { mesh, way, clock } = bench();
  way.hangs = true;
  const code = errorCode(mesh.start());
  await settled();
  clock.advance(defaultPatience.startMs);
  assert.is(await code, 'timeout');
});

test('after a crash it starts anew, after a wait that doubles up to its limit', async () => {
  const { mesh, way, clock, life } = bench({ firstBackoffMs: 100, longestBackoffMs: 300, maxRestarts: 10 });
  await mesh.start();
  for (const [index, waitMs] of [100, 200, 300, 300].entries()) {
    life().crash();
    await settled();
    assert.is(mesh.health().state, 'restarting');
    clock.advance(waitMs - 1);
    await settled();
    assert.is(way.lives.length, index + 1);
    clock.advance(1);
    await settled();
    assert.is(way.lives.length, index + 2);
    assert.is(mesh.health().state, 'up');
    assert.is(mesh.health().restarts, index + 1);
  }
  await mesh.stop();
});

test('a far side that was up for a while ends the row, and the wait is short again', async () => {
  const { mesh, way, clock, life } = bench({ firstBackoffMs: 100, calmMs: 1000 });
  await mesh.start();
  for (let round = 0; round < 3; round++) {
    life().crash();
    await settled();
    clock.advance(100);
    await settled();
    assert.is(way.lives.length, round + 2);
    clock.advance(1000);
    await settled();
  }
  await mesh.stop();
});

test('one that ends too often is given up, once, and calls say why', async () => {
  const { mesh, clock, way, life, givenUp, call } = bench({ maxRestarts: 2 });
  await mesh.start();
  way.refusals.push(new MeshError('data_corrupt', 'damaged'), new MeshError('data_corrupt', 'damaged'));
  life().crash();
  for (let round = 0; round < 5; round++) {
    await settled();
    clock.advance(60_000);
  }
  await settled();
  assert.is(givenUp.length, 1);
  assert.is(mesh.health().state, 'failed');
  assert.match(mesh.health().last_error ?? '', 'damaged');
  assert.is(await errorCode(call('get')), 'mesh_down');
  await mesh.stop();
});

test('somebody else’s far side is never given up', async () => {
  const { mesh, clock, way, life, givenUp } = bench({ maxRestarts: 2 });
  way.owned = false;
  await mesh.start();
  way.refusals.push(...Array.from({ length: 20 }, down));
  life().crash();
  for (let round = 0; round < 25; round++) {
    await settled();
    clock.advance(10_000);
  }
  await settled();
  assert.is(givenUp.length, 0);
  assert.is(mesh.health().state, 'up');
  await mesh.stop();
});

for (const [name, input] of [
  ['claim', {}],
  ['submit', {}],
  ['submit_many', {}],
  ['retry', {}],
  ['call_tool', {}],
] as const) {
  test(`${name} in flight fails at once when the far side ends, and is not repeated`, async () => {
    const { mesh, clock, life, call } = bench();
    await mesh.start();
    const code = errorCode(call(name, input));
    await settled();
    assert.is(mesh.health().in_flight, 1);
    life().crash();
    assert.is(await code, 'mesh_down');
    clock.advance(1000);
    await settled();
    assert.is(life().calls.length, 0);
    await mesh.stop();
  });
}

for (const [name, input] of [
  ['get', {}],
  ['wait', {}],
  ['heartbeat', {}],
  ['complete', {}],
  ['submit', { idempotency_key: 'k' }],
] as const) {
  const what = 'idempotency_key' in input ? 'a submit with an idempotency key' : name;
  test(`${what} in flight is carried once more to the next far side, and only once`, async () => {
    const { mesh, clock, life, call } = bench();
    await mesh.start();
    const first = call(name, input);
    const second = errorCode(call(name, input));
    await settled();
    life().crash();
    await settled();
    clock.advance(1000);
    await settled();
    assert.is(life().calls.length, 2);
    life().calls.shift()?.answer({ done: 1 });
    assert.equal(await first, { done: 1 });
    life().crash();
    assert.is(await second, 'mesh_down');
    await mesh.stop();
  });
}

test('a call that arrives while nothing is up waits for the next far side', async () => {
  const { mesh, clock, life, call } = bench();
  await mesh.start();
  life().crash();
  await settled();
  const answer = call('submit', {});
  await settled();
  clock.advance(200);
  await settled();
  assert.is(life().calls.length, 1);
  life().calls[0]?.answer({ ok: 1 });
  assert.equal(await answer, { ok: 1 });
  await mesh.stop();
});

test('a call that was sent once and finds no other far side is not said to have been sent nowhere', async () => {
  const { mesh, way, clock, life, call } = bench({ restartMs: 5000, maxRestarts: 1000 });
  await mesh.start();
  way.refusals.push(...Array.from({ length: 100 }, down));
  const errorOf = (asked: Promise<unknown>): Promise<string> => asked.then(String, (error: Error) => error.message);
  const repeated = errorOf(call('get', { task_id: 't' }));
  life().crash();
  await settled();
  const later = errorOf(call('get', { task_id: 't' }));
  await settled();
  clock.advance(5000);
  assert.match(await repeated, 'may or may not have been done');
  assert.match(await later, 'nothing was sent');
  await mesh.stop();
});

test('it waits no longer than its patience, its deadline or its signal, and no more calls than allowed wait', async () => {
  const { mesh, way, clock, life, call } = bench({ restartMs: 5000, maxWaiting: 3, maxRestarts: 1000 });
  await mesh.start();
  way.refusals.push(...Array.from({ length: 100 }, down));
  life().crash();
  await settled();
  const controller = new AbortController();
  const patient = errorCode(call('submit', {}));
  const hurried = errorCode(call('submit', {}, { deadlineMs: 100 }));
  const cancelled = errorCode(call('submit', {}, { signal: controller.signal }));
  await settled();
  assert.is(await errorCode(call('submit', {})), 'mesh_down');
  controller.abort();
  assert.is(await cancelled, 'cancelled');
  clock.advance(100);
  assert.is(await hurried, 'mesh_down');
  clock.advance(4900);
  assert.is(await patient, 'mesh_down');
  await mesh.stop();
  assert.is(clock.pendingTimers, 0);
});

test('a far side that does not answer turns unresponsive within the published bound, and up when it answers', async () => {
  const { mesh, clock, life } = bench();
  await mesh.start();
  life().silent = true;
  const { checkEveryMs, answerWithinMs } = defaultPatience;
  clock.advance(checkEveryMs);
  await settled();
  clock.advance(answerWithinMs);
  await settled();
  assert.is(mesh.health().state, 'unresponsive');
  assert.is(mesh.health().last_error, 'It did not answer within 2000 ms.');
  life().silent = false;
  clock.advance(checkEveryMs);
  await settled();
  assert.is(mesh.health().state, 'up');
  assert.is(life().killed, false);
  await mesh.stop();
});

for (const owned of [true, false]) {
  test(`one that stays silent ${owned ? 'and is ours is ended and started anew' : 'and is not ours is left alone'}`, async () => {
    const { mesh, way, clock, life } = bench();
    way.owned = owned;
    await mesh.start();
    life().silent = true;
    for (let second = 0; second < 40; second++) {
      clock.advance(1000);
      await settled();
    }
    assert.is(life(0).killed, owned);
    assert.is(way.lives.length, owned ? 2 : 1);
    assert.is(mesh.health().state, owned ? 'up' : 'unresponsive');
    await mesh.stop();
  });
}

test('events are turned on in each life while somebody listens', async () => {
  const { mesh, clock, life } = bench();
  const unsubscribe = mesh.subscribe(() => {});
  await mesh.start();
  assert.equal(life().watched, [true]);
  life().crash();
  await settled();
  clock.advance(1000);
  await settled();
  assert.equal(life(1).watched, [true]);
  unsubscribe();
  assert.equal(life(1).watched, [true, false]);
  await mesh.stop();
});

test('stopping during a restart starts nothing more and leaves no timer', async () => {
  const { mesh, way, clock, life } = bench();
  await mesh.start();
  life().crash();
  await settled();
  await mesh.stop();
  clock.advance(60_000);
  await settled();
  assert.is(way.lives.length, 1);
  assert.is(clock.pendingTimers, 0);
  assert.is(mesh.health().state, 'stopped');
});

test.run();
