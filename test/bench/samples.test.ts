import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pooledQuantile, pooledRatio, type RoundPair } from '../../bench/runner/pooled-quantile.ts';
import { Samples } from '../../bench/samples.ts';
import { isTold, verdictOf } from '../../bench/statistics.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('samples');

const exact = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1] ?? Number.NaN;

const numbers = fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 400 });

test('a quantile is within 0.3 % of the exact one, and the ends are exact', () => {
  fc.assert(
    fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const samples = Samples.of(values);
      const wanted = exact(values, share);
      assert.ok(Math.abs(samples.quantile(share) - wanted) <= wanted * 0.003);
      assert.is(samples.max, Math.max(...values));
      assert.is(samples.min, Math.min(...values));
      assert.is(samples.count, values.length);
    }),
  );
});

test('merging and encoding lose nothing', () => {
  fc.assert(
    fc.property(numbers, numbers, (one, other) => {
      const merged = Samples.of(one);
      merged.merge(Samples.decode(JSON.parse(JSON.stringify(Samples.of(other).encode()))));
      const whole = Samples.of([...one, ...other]);
      for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
        const [a, b] = [merged.quantile(share), whole.quantile(share)];
        assert.ok(Math.abs(a - b) <= b * 0.006, `${a} ${b}`);
      }
      assert.is(merged.count, whole.count);
    }),
  );
});

test('zero is a sample like others, and what is no number is refused', () => {
  const samples = Samples.of([...Array(100).fill(0), 5]);
  assert.is(samples.quantile(0.5), 0);
  assert.is(samples.quantile(1), 5);
  assert.throws(() => samples.add(Number.NaN), RangeError);
});

test('a quantile of the tail is that of all rounds together', () => {
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 5 }), (rounds) => {
      const { value, low, high } = pooledQuantile([rounds.map((round) => Samples.of(round))], 0.99, 1);
      const wanted = exact(rounds.flat(), 0.99);
      assert.ok(Math.abs(value - wanted) <= wanted * 0.003);
      assert.ok(low <= high);
    }),
    { numRuns: 30 },
  );
});

/** Three processes of four rounds of 100 samples, the tail of each as long as `tail` says. */
const rounds = (tail: (process: number, round: number) => number): Samples[][] =>
  [0, 1, 2].map((process) =>
    [0, 1, 2, 3].map((round) =>
      Samples.of(Array.from({ length: 100 }, (_, index) => (index < 97 ? 1 : tail(process, round)))),
    ),
  );

const pairsOf = (of: Samples[][], to: Samples[][]): RoundPair[][] =>
  of.map((group, process) => group.map((one, round) => [one, to[process]?.[round] ?? new Samples()] as const));

test('a ratio of tails is that of all rounds together, and a cell beside itself differs in nothing', () => {
  const plain = rounds((process, round) => 10 + process + round);
  const twice = rounds((process, round) => 2 * (10 + process + round));
  const found = pooledRatio(pairsOf(twice, plain), 0.99, 1);
  assert.ok(Math.abs(found.value - 2) < 0.02 && found.low > 1.9 && found.high < 2.1, JSON.stringify(found));
  assert.is(verdictOf(found), 'more');
  assert.equal(pooledRatio(pairsOf(plain, plain), 0.99, 1), { value: 1, low: 1, high: 1 });
});

test('one stall in one round of one side shows no difference', () => {
  const plain = rounds(() => 10);
  const stalled = rounds((process, round) => (process === 0 && round === 0 ? 1000 : 10));
  assert.is(verdictOf(pooledRatio(pairsOf(stalled, plain), 0.999, 1)), 'same');
});

test('a p99 is told by 500 samples and not by 499, a median by one', () => {
  assert.equal(
    [isTold(500, 0.99), isTold(499, 0.99), isTold(5000, 0.999), isTold(4999, 0.999), isTold(1, 0.5)],
    [...[true, false, true, false, true]],
  );
});

test.run();
