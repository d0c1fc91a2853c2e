/** What a suite says of a cell that it measured twice. */

import * as assert from 'uvu/assert';
import { evaluateSuite } from '../../bench/runner/evaluate.ts';
import { type MeasuredCell, withNoise } from '../../bench/runner/run-suite.ts';
import type { Suite, SuitePlan } from '../../bench/suite.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('noise');

const plan: SuitePlan = {
  metrics: {
    whole: { title: 'The whole', unit: 'µs', better: 'less' },
    part: { title: 'A part', unit: 'µs', better: 'less' },
  },
  cells: [{ labels: { what: 'call' }, subject: { runtime: 'node', file: new URL('file:///none.ts') }, roundMs: 1 }],
  noiseOf: { what: 'call' },
};

const made: Suite = {
  name: 'made-up',
  title: 'Made up',
  question: 'What is noise?',
  budgetMs: { full: 1, quick: 1, smoke: 1 },
  plan: async () => plan,
};

/** `parts`: what was measured of the part, of the cell and of its second measurement, a figure per round. */
function noiseWith(parts: readonly [readonly number[], readonly number[]]): string[] {
  const cells = withNoise(plan).map(
    (cell, index): MeasuredCell => ({
      cell,
      rounds: (parts[index] ?? []).map((part, round) => ({ process: 0, round, figures: { whole: 100 + round, part } })),
    }),
  );
  const report = evaluateSuite({ suite: made, plan, processes: 1, rounds: 6, cells, budgetMs: 1, durationMs: 1 }, 1);
  return report.noise.map(({ metric }) => metric);
}

test('is how many times a cell is itself, of each of its figures', () => {
  const parts = [10, 11, 12, 10, 11, 12];
  assert.equal(noiseWith([parts, parts]), ['whole', 'part']);
});

test('is not told of a part that is less than nothing in some rounds', () => {
  assert.equal(
    noiseWith([
      [1, -2, 3, -1, 2, 1],
      [-1, 2, -3, 1, 2, -2],
    ]),
    ['whole'],
  );
});

test.run();
