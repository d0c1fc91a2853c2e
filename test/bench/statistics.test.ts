import * as assert from 'uvu/assert';
import { seededRandom, shuffled } from '../../bench/random.ts';
import { estimate, median, quantile, ratioEstimate, ratios, unpairedRatio, verdictOf } from '../../bench/statistics.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('statistics');

test('quantiles interpolate between neighbours, whatever the order', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(quantile([10, 20, 30, 40, 50], 0.9), 46);
  assert.is(quantile([10, 20, 30, 40, 50], 1), 50);
  assert.ok(Number.isNaN(median([])));
});

test('an interval holds its median, and the same seed gives the same interval', () => {
  const rounds = [
    [10, 11, 12, 10.5],
    [11, 12, 13, 11.5],
    [9, 10, 11, 10.2],
  ];
  const found = estimate(rounds, 7);
  assert.ok(found.low <= found.value && found.value <= found.high);
  assert.ok(found.low >= 9 && found.high <= 13);
  assert.equal(estimate(rounds, 7), found);
});

test('an interval covers the true median about as often as it says', () => {
  const random = seededRandom(42);
  // The sum of twelve uniform numbers is all but normal, around 6.
  const normal = (): number => Array.from({ length: 12 }, random).reduce((sum, each) => sum + each, 0);
  let covered = 0;
  for (let trial = 0; trial < 200; trial++) {
    const { low, high } = estimate([Array.from({ length: 15 }, normal)], trial);
    if (low <= 6 && high >= 6) covered++;
  }
  assert.ok(covered >= 176 && covered <= 200, `${covered} of 200 intervals hold the median; seed 42`);
});

test('with few rounds the interval is Student’s, and covers as often as it says', () => {
  const random = seededRandom(43);
  const normal = (): number => 94 + Array.from({ length: 12 }, random).reduce((sum, each) => sum + each, 0);
  let covered = 0;
  for (let trial = 0; trial < 400; trial++) {
    const { low, high } = estimate([[normal(), normal(), normal()]]);
    if (low <= 100 && high >= 100) covered++;
  }
  assert.ok(covered >= 364, `${covered} of 400 intervals hold the median; seed 43`);
  const known = estimate([[Math.E, Math.E ** 2, Math.E ** 3]]);
  assert.ok(Math.abs(Math.log(known.high) - (2 + 4.303 / Math.sqrt(3))) < 1e-9);
});

test('processes that differ widen the interval more than rounds of one process do', () => {
  const together = estimate([[10, 20, 30, 10, 20, 30, 10, 20, 30]]);
  const apart = estimate([
    [10, 10, 10],
    [20, 20, 20],
    [30, 30, 30],
  ]);
  assert.ok(apart.high - apart.low >= together.high - together.low);
});

test('ratios pair rounds by their place and leave out those that one side lacks', () => {
  assert.equal(ratios([[2, 4, Number.NaN], [9]], [[1, 2, 5], []]), [[2, 2], []]);
  assert.is(ratioEstimate([[Number.NaN]], [[1]]), undefined);
  assert.is(ratioEstimate([[3, 3.06, 2.94]], [[2, 2.04, 1.96]])?.value, 1.5);
});

test('what all rounds suffer alike does not hide a difference', () => {
  const machine = [1, 5, 2, 9, 1, 3];
  const found = ratioEstimate([machine.map((slow) => slow * 1.3)], [machine]);
  assert.is(found?.verdict, 'more');
  assert.ok(Math.abs((found?.value ?? 0) - 1.3) < 1e-9);
});

test('no difference is seen across 1, within an interval wider than its effect, below 1 %, or in two rounds', () => {
  assert.is(verdictOf({ value: 1.2, low: 0.9, high: 1.5 }), 'same');
  assert.is(verdictOf({ value: 1.2, low: 1.05, high: 1.5 }), 'same');
  assert.is(verdictOf({ value: 1.005, low: 1.004, high: 1.006 }), 'same');
  assert.is(verdictOf({ value: 1.2, low: 1.15, high: 1.25 }), 'more');
  assert.is(verdictOf({ value: 0.5, low: 0.45, high: 0.55 }), 'less');
  assert.is(ratioEstimate([[2, 2]], [[1, 1]])?.verdict, 'same');
});

test('two sides that did not run in turns bring each its own interval', () => {
  const found = unpairedRatio([[20, 20.1, 20.2, 19.9]], [[10, 10.1, 9.9, 10]]);
  assert.is(found?.verdict, 'more');
  assert.ok(Math.abs((found?.value ?? 0) - 2) < 0.1);
  assert.is(unpairedRatio([[]], [[1]]), undefined);
});

test('a seed repeats an order, and every item stays', () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const order = shuffled(items, seededRandom(3));
  assert.equal(order, shuffled(items, seededRandom(3)));
  assert.not.equal(order, items);
  assert.equal(order.toSorted(), items);
});

test('what may be zero or less has no ratio to another report', () => {
  const part = [[-3, 5, 9, -1, 4, 2]];
  const clear = [[10, 11, 10, 11, 10, 11]];
  assert.is(unpairedRatio(part, clear), undefined);
  assert.is(unpairedRatio(clear, part), undefined);
  assert.is(unpairedRatio(clear, [[20, 21, 20, 21, 20, 21]])?.verdict, 'less');
});

test.run();
