import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { pooledQuantile } from '../../bench/runner/pooled-quantile.ts';
import { Samples } from '../../bench/samples.ts';
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

test.run();
