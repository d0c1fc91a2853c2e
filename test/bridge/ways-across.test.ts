import * as assert from 'uvu/assert';
import { agree, hello, spoken } from '../../src/bridge/protocol.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { errorCode } from '../support/error-code.ts';
import { suite } from '../tooling/suite.ts';
import { type Bridge, openBridge, type WayOptions, ways } from './ways-across.ts';

for (const way of ways) {
  const test = suite(`way across: ${way}`);

  const greeted = async (options?: WayOptions): Promise<Bridge> => {
    const bridge = await openBridge(way, options);
    await bridge.near.hello();
    return bridge;
  };

  test('a hello agrees on the version and tells the bounds', async () => {
    await using bridge = await openBridge(way);
    const welcome = await bridge.near.hello();
    assert.is(welcome.protocol, spoken.newest);
    assert.ok(welcome.limits.maxInFlight > 0);
  });

  test('who says no hello in time is told so, and let go', async () => {
    await using bridge = await openBridge(way, { limits: { callDeadlineMs: 50 } });
    await bridge.closed;
    assert.ok(bridge.near.closed);
  });

  test('before the hello nothing is answered', async () => {
    await using bridge = await openBridge(way);
    assert.is(await errorCode(bridge.ask('echo', 1)), 'unauthorized');
  });

  test('a megabyte crosses both ways, whole, with what is hard to encode', async () => {
    await using bridge = await greeted();
    const value = { text: 'wörld 🎉\n\u2028\\"\0', long: 'ü€🎉'.repeat(120_000), list: [1, null, true, -0.5] };
    assert.equal((await bridge.ask('echo', value)).value, value);
  });

  test('ten thousand calls at once, among them large ones, each get their own answer', async () => {
    await using bridge = await greeted();
    const values = Array.from({ length: 10_000 }, (_, index) =>
      index % 1000 === 7 ? `${index}`.repeat(40_000) : index,
    );
    const answers = await Promise.all(values.map((value) => bridge.ask('echo', value)));
    answers.forEach(({ value }, index) => {
      assert.ok(value === values[index], `answer ${index}`);
    });
  });

  test('an error crosses whole', async () => {
    await using bridge = await greeted();
    try {
      await bridge.ask('refuse');
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

  test('progress and events cross in order', async () => {
    await using bridge = await greeted();
    const steps: unknown[] = [];
    await bridge.ask('progress', null, { onProgress: ({ progress }) => steps.push(progress) });
    // Of the progress of one tick the newest is enough.
    assert.equal([...steps].sort(), steps);
    assert.is(steps.at(-1), 3);
    bridge.near.watch(true);
    assert.is((await bridge.ask('event')).value, 1);
    await bridge.ask('echo');
    assert.equal(
      bridge.events.map((event) => event.type === 'task' && event.attempt),
      [1, 2, 3],
    );
    bridge.near.watch(false);
    assert.is((await bridge.ask('event')).value, 0);
  });

  test('a thousand cancelled calls leave nothing waiting at the far end', async () => {
    await using bridge = await greeted();
    const { signal, abort } = controller();
    const codes = Array.from({ length: 1000 }, () => errorCode(bridge.ask('wait', null, { signal })));
    assert.is((await bridge.ask('waiting')).value, 1000);
    abort();
    assert.equal(new Set(await Promise.all(codes)), new Set(['cancelled']));
    assert.is((await bridge.ask('waiting')).value, 0);
    await servesNothing(bridge);
  });

  test('a cancelled call with a large input is cancelled there too, although small messages pass large ones', async () => {
    await using bridge = await greeted();
    const { signal, abort } = controller();
    const large = 'x'.repeat(1024 * 1024);
    const codes = Array.from({ length: 8 }, () => errorCode(bridge.ask('wait', large, { signal })));
    await Promise.resolve();
    abort();
    assert.equal(new Set(await Promise.all(codes)), new Set(['cancelled']));
    // Behind the last of the large ones: it has arrived when this is answered.
    await bridge.ask('echo', large);
    assert.is((await bridge.ask('waiting')).value, 0);
  });

  test('a deadline ends the call on both sides', async () => {
    await using bridge = await greeted();
    assert.is(await errorCode(bridge.ask('wait', null, { deadlineMs: 20 })), 'timeout');
    await waitingIs(bridge, 0);
  });

  test('more calls than may be in flight are refused at once, and the others are answered', async () => {
    await using bridge = await greeted({ limits: { maxInFlight: 10 } });
    const codes = await Promise.all(Array.from({ length: 15 }, (_, index) => errorCode(bridge.ask('echo', index))));
    assert.equal(codes, [...Array(10).fill('none'), ...Array(5).fill('busy')]);
    assert.is((await bridge.ask('echo', 'again')).value, 'again');
  });

  test('when the far side ends, what is in flight fails at once', async () => {
    await using bridge = await greeted();
    const codes = Array.from({ length: 10 }, () => errorCode(bridge.ask('wait')));
    await bridge.ask('echo');
    for (const endpoint of bridge.far) endpoint.close();
    assert.equal(new Set(await Promise.all(codes)), new Set(['mesh_down']));
    await bridge.closed;
    assert.is(await errorCode(bridge.ask('echo')), 'mesh_down');
  });

  test('when the near side ends, what it asked for is given up at the far end', async () => {
    await using bridge = await greeted();
    const codes = Array.from({ length: 10 }, () => errorCode(bridge.ask('wait')));
    assert.is((await bridge.ask('waiting')).value, 10);
    bridge.near.close();
    assert.equal(new Set(await Promise.all(codes)), new Set(['mesh_down']));
    await servesNothing(bridge);
  });

  for (const [what, speaks, upgrade] of [
    ['an older P2P service', { oldest: 1, newest: 1 }, 'Upgrade the P2P service.'],
    ['a newer P2P service', { oldest: 3, newest: 4 }, 'Upgrade the server.'],
  ] as const) {
    test(`${what} is refused, and the error says which side to upgrade`, async () => {
      await using bridge = await openBridge(way, { speaks });
      try {
        await bridge.near.hello();
        assert.unreachable();
      } catch (error) {
        assert.is((error as MeshError).code, 'protocol_mismatch');
        assert.match((error as MeshError).message, upgrade);
      }
    });
  }

  test.run();
}

const protocol = suite('protocol');

protocol('the highest version that both speak is taken', () => {
  assert.is(agree({ ...hello(), oldest: 1, newest: 4 }, { oldest: 2, newest: 3 }), 3);
  assert.is(agree({ ...hello(), oldest: 3, newest: 9 }, { oldest: 1, newest: 3 }), 3);
});

protocol('a hello without a range, with one upside down, or with no text for a build is none', () => {
  for (const given of [
    {},
    { ...hello(), oldest: 9, newest: 1 },
    { ...hello(), build: {} },
    { ...hello(), oldest: 1.5 },
  ])
    assert.throws(
      () => agree(given),
      (error: MeshError) => error.code === 'invalid_message' && error.message.includes('"newest":'),
    );
});

protocol.run();

function controller(): { signal: AbortSignal; abort: () => void } {
  const own = new AbortController();
  return { signal: own.signal, abort: () => own.abort() };
}

/** Lets the far end get to it. */
async function servesNothing(bridge: Bridge): Promise<void> {
  for (let turn = 0; turn < 10_000 && bridge.far[0]?.serving !== 0; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  assert.is(bridge.far[0]?.serving, 0);
}

/** Asks until as many calls wait; the far end's own deadline may be a moment later than ours. */
async function waitingIs(bridge: Bridge, expected: number): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if ((await bridge.ask('waiting')).value === expected) return;
  }
  assert.unreachable(`never ${expected}`);
}
