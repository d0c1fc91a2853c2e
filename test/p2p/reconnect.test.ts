import * as assert from 'uvu/assert';
import type { Attempt } from '../../src/p2p/discovery/attempt.ts';
import type { Place } from '../../src/p2p/discovery/place.ts';
import { Keeper } from '../../src/p2p/reach/reconnect.ts';
import { TokenBucket } from '../../src/p2p/token-bucket.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const place: Place = { key: 'somewhere', method: 'bootstrap', resolve: async () => ({ peerId: 'p', addresses: [] }) };

interface Scene {
  clock: FakeClock;
  keeper: Keeper;
  /** When attempts were made, in milliseconds. */
  attempts: number[];
  state: { connected: boolean; ok: boolean };
  settle(): Promise<void>;
}

function scene(random = 1): Scene {
  const clock = new FakeClock();
  const attempts: number[] = [];
  const state = { connected: false, ok: false };
  const keeper = new Keeper({
    clock,
    random: () => random,
    isConnected: () => state.connected,
    async attempt({ method }): Promise<Attempt> {
      attempts.push(clock.monotonicMs());
      state.connected = state.ok;
      return {
        method,
        ok: state.ok,
        outcome: state.ok ? 'connected' : 'failed',
        peer_id: 'p',
        multiaddr: '',
        error: '',
        duration_ms: 0,
      };
    },
  });
  return { clock, keeper, attempts, state, settle: () => new Promise((resolve) => setImmediate(resolve)) };
}

const keeping = suite('keeping connected');

keeping('attempts come at once, then after longer and longer pauses, up to a minute', async () => {
  const { clock, keeper, attempts, settle } = scene();
  keeper.keep(place);
  clock.advance(0);
  await settle();
  for (let step = 0; step < 400; step++) {
    clock.advance(500);
    await settle();
  }
  const pauses = attempts.slice(1).map((atMs, index) => atMs - (attempts[index] ?? 0));
  assert.equal(
    pauses.slice(0, 8),
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].slice(0, pauses.length),
  );
  keeper.stop();
  assert.is(clock.pendingTimers, 0);
});

keeping('pauses are spread at random, down to half', async () => {
  const { clock, keeper, attempts, settle } = scene(0);
  keeper.keep(place);
  clock.advance(0);
  await settle();
  clock.advance(499);
  assert.is(attempts.length, 1);
  clock.advance(1);
  assert.is(attempts.length, 2);
  keeper.stop();
});

keeping('a connection that stands is left alone, and dialled again when it is lost', async () => {
  const { clock, keeper, attempts, state, settle } = scene();
  state.ok = true;
  keeper.keep(place);
  clock.advance(0);
  await settle();
  keeper.keep(place);
  clock.advance(100_000);
  await settle();
  assert.is(attempts.length, 1);
  state.connected = false;
  keeper.lost('another');
  clock.advance(100_000);
  assert.is(attempts.length, 1);
  keeper.lost('p');
  clock.advance(500);
  await settle();
  assert.is(attempts.length, 2);
  keeper.stop();
});

keeping('a place that may be forgotten is forgotten after its failures', async () => {
  const { clock, keeper, attempts, settle } = scene();
  keeper.keep(place, { forgetAfter: 2 });
  for (let step = 0; step < 20; step++) {
    clock.advance(10_000);
    await settle();
  }
  assert.is(attempts.length, 2);
  assert.equal([keeper.places, clock.pendingTimers], [[], 0]);
});

keeping('a peer that ends each connection at once is left alone for longer and longer', async () => {
  const { clock, keeper, attempts, state, settle } = scene();
  state.ok = true;
  keeper.keep(place);
  clock.advance(0);
  await settle();
  for (let step = 0; step < 200; step++) {
    if (state.connected) {
      state.connected = false;
      keeper.lost('p');
    }
    clock.advance(500);
    await settle();
  }
  const pauses = attempts.slice(1).map((atMs, index) => atMs - (attempts[index] ?? 0));
  assert.equal(pauses.slice(0, 5), [1_000, 2_000, 4_000, 8_000, 16_000]);
  keeper.stop();
});

const quota = suite('quota');

quota('a peer may save up a burst, and then gets so many a second', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(10, 3, clock);
  const takes = (count: number): number => Array.from({ length: count }, () => bucket.take()).filter(Boolean).length;
  assert.is(takes(5), 3);
  clock.advance(100);
  assert.is(takes(5), 1);
  clock.advance(60_000);
  assert.is(takes(5), 3, 'no more is saved up than the burst');
});

keeping.run();
quota.run();
