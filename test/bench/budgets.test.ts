import * as assert from 'uvu/assert';
import { plannedSuites } from '../../bench/runner/plan-of.ts';
import type { Mode } from '../../bench/suite.ts';
import { clock } from '../../bench/suites/clock.ts';
import { hop } from '../../bench/suites/hop.ts';
import { suites } from '../../bench/suites.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('budgets');

const budget = (mode: Mode): number => suites.reduce((sum, { budgetMs }) => sum + budgetMs[mode], 0);

test('all suites together take at most forty minutes, and two when they are quick', () => {
  assert.ok(budget('full') <= 40 * 60_000, `${budget('full')} ms`);
  assert.ok(budget('quick') <= 2 * 60_000, `${budget('quick')} ms`);
});

test('what is measured leaves room in its budget for starting and ending', async () => {
  for (const mode of ['full', 'quick', 'smoke'] as const) {
    const planned = await plannedSuites({ suites: [clock, hop], mode, runtimes: ['node', 'deno'], seed: 1 });
    for (const { name, measuringMs, budgetMs } of planned) assert.ok(measuringMs < budgetMs * 0.85, `${name} ${mode}`);
  }
});

test('suites have names of their own', () => {
  assert.is(new Set(suites.map(({ name }) => name)).size, suites.length);
});

test.run();
