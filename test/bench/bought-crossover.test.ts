/** The rule that says from which load on the bridge is better. */

import * as assert from 'uvu/assert';
import type { RatioEstimate } from '../../bench/suite.ts';
import { type Crossover, crossoverOf, crossoverText, type LoadStep } from '../../bench/suites/bought-crossover.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('crossover');

const ratio = (value: number, verdict: RatioEstimate['verdict']): RatioEstimate => ({
  value,
  low: value * 0.9,
  high: value * 1.1,
  verdict,
});
const better = ratio(3, 'more');
const worse = ratio(0.5, 'less');
const same = ratio(1.1, 'same');
const steps = (...ratios: (RatioEstimate | undefined)[]): LoadStep[] =>
  ratios.map((each, index) => ({ load: index * 10, ratio: each }));
const loadOf = (crossover: Crossover): number | undefined => (crossover.kind === 'from' ? crossover.load : undefined);

test('it is the least load at which the bridge is shown to be better', () => {
  assert.is(loadOf(crossoverOf(steps(worse, same, better, better))), 20);
  assert.is(loadOf(crossoverOf(steps(same, better, same))), 10);
  assert.is(loadOf(crossoverOf(steps(same, better, same, better).toReversed())), 10);
});

test('a load at which the bridge is worse comes before it, never after', () => {
  assert.is(loadOf(crossoverOf(steps(better, worse, better))), 20);
  assert.is(crossoverOf(steps(same, better, worse)).kind, 'mixed');
});

test('what was not measured, or not shown, decides nothing', () => {
  assert.is(loadOf(crossoverOf(steps(undefined, better, undefined))), 10);
  assert.is(crossoverOf(steps(same, same)).kind, 'not_shown');
  assert.is(crossoverOf(steps(undefined)).kind, 'not_measured');
  assert.is(crossoverOf([]).kind, 'not_measured');
  assert.is(crossoverOf(steps(worse, same)).kind, 'never');
});

test('better from the least load on is not called a crossover', () => {
  const everywhere = crossoverOf(steps(better, better));
  assert.is(everywhere.kind === 'from' && everywhere.lowest, true);
  assert.match(crossoverText('p99', everywhere, 'MB/s'), 'At 0 MB/s, the least that was measured');
  assert.match(crossoverText('p99', crossoverOf(steps(same, better)), 'MB/s'), 'From 10 MB/s on');
});

test.run();
