import * as assert from 'uvu/assert';
import { Deadlines, type Expiring } from '../../src/rpc/deadlines.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('deadlines');

interface Bench {
  clock: FakeClock;
  deadlines: Deadlines;
  expired: string[];
  add(name: string, delayMs: number): Expiring;
}

function bench(): Bench {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const expired: string[] = [];
  return {
    clock,
    deadlines,
    expired,
    add(name, delayMs) {
      const owner: Expiring = { dueMs: 0, expire: () => expired.push(`${name} at ${clock.monotonicMs()}`) };
      deadlines.add(owner, delayMs);
      return owner;
    },
  };
}

test('each expires at its own time, in whatever order they came', () => {
  const { clock, expired, add } = bench();
  add('late', 300);
  add('early', 100);
  add('middle', 200);
  clock.advance(99);
  assert.equal(expired, []);
  clock.advance(1000);
  assert.equal(expired, ['early at 100', 'middle at 200', 'late at 300']);
});

test('a thousand of them share one timer', () => {
  const { clock, expired, add } = bench();
  for (let index = 0; index < 1000; index++) add(String(index), 1000 - index);
  assert.is(clock.pendingTimers, 1);
  clock.advance(1000);
  assert.is(expired.length, 1000);
  assert.is(clock.pendingTimers, 0);
});

test('one that was deleted does not expire, and leaves no timer behind once its time is over', () => {
  const { clock, deadlines, expired, add } = bench();
  deadlines.delete(add('gone', 100));
  add('stays', 200);
  clock.advance(1000);
  assert.equal(expired, ['stays at 200']);
  assert.is(clock.pendingTimers, 0);
});

test('one that is added while another expires has its full time', () => {
  const { clock, deadlines, expired, add } = bench();
  deadlines.add({ dueMs: 0, expire: () => add('second', 50) }, 100);
  clock.advance(149);
  assert.equal(expired, []);
  clock.advance(1);
  assert.equal(expired, ['second at 150']);
});

test('clearing drops all and the timer; later ones work', () => {
  const { clock, deadlines, expired, add } = bench();
  add('dropped', 100);
  deadlines.clear();
  assert.is(clock.pendingTimers, 0);
  add('kept', 100);
  clock.advance(100);
  assert.equal(expired, ['kept at 100']);
});

test.run();
