/** The suites' plans hang together: what is compared, drawn and repeated is also measured. */

import * as assert from 'uvu/assert';
import { seededRandom } from '../../bench/random.ts';
import { runtimeNames } from '../../bench/runner/runtimes.ts';
import { cellId, type Labels, type Mode, type Plot, type Suite, type SuitePlan } from '../../bench/suite.ts';
import { bought } from '../../bench/suites/bought.ts';
import { startUp } from '../../bench/suites/start-up.ts';
import { toolCall } from '../../bench/suites/tool-call.ts';
import { wire } from '../../bench/suites/wire.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('plans');
const suites: readonly Suite[] = [toolCall, bought, wire, startUp];

async function planOf(of: Suite, mode: Mode): Promise<SuitePlan> {
  await using folder = await tempFolder();
  try {
    const signal = new AbortController().signal;
    const given = { mode, runtimes: runtimeNames, folder: folder.path, random: seededRandom(1), signal };
    return await of.plan({ ...given, budgetMs: of.budgetMs[mode] });
  } finally {
    await of.close?.();
  }
}

function isDrawn(labels: Labels, where: Plot['where']): boolean {
  return Object.entries(where).every(([name, wanted]) =>
    (Array.isArray(wanted) ? wanted : [wanted]).includes(labels[name] ?? ''),
  );
}

for (const each of suites) {
  for (const mode of ['full', 'quick', 'smoke'] as const) {
    test(`${each.name}, ${mode}: cells have names of their own, and plots have cells and metrics`, async () => {
      const plan = await planOf(each, mode);
      const ids = plan.cells.map(({ labels }) => cellId(labels));
      assert.is(new Set(ids).size, ids.length);
      assert.ok(ids.length > 0);
      if (plan.noiseOf !== undefined) assert.ok(ids.includes(cellId(plan.noiseOf)), cellId(plan.noiseOf));
      for (const plot of plan.plots ?? []) {
        for (const metric of plot.metrics) assert.ok(metric in plan.metrics, metric);
        assert.ok(
          plan.cells.some(({ labels }) => isDrawn(labels, plot.where)),
          plot.title,
        );
      }
    });

    // A smoke run measures each runtime's default layout only: there is nothing to compare it with.
    if (mode !== 'smoke') {
      test(`${each.name}, ${mode}: what is compared is measured`, async () => {
        const { cells, comparisons = [] } = await planOf(each, mode);
        const ids = new Set(cells.map(({ labels }) => cellId(labels)));
        for (const { pairs, title } of comparisons)
          for (const { of, to } of pairs)
            for (const labels of [of, to]) assert.ok(ids.has(cellId(labels)), `${title}: ${cellId(labels)}`);
      });
    }
  }
}

test.run();
