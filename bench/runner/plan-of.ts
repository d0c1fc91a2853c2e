/** How long the suites would take: what `--plan` prints, and what a test holds the budgets to. */

import { seededRandom } from '../random.ts';
import type { Cell, Mode, PlanContext, RuntimeName, Suite } from '../suite.ts';
import { makeBenchFolder } from './bench-folder.ts';
import { countsFor, withNoise } from './run-suite.ts';

export interface PlannedSuite {
  readonly name: string;
  readonly cells: number;
  /** In the block that has most of them. */
  readonly processes: number;
  readonly rounds: number;
  /** Measuring and warming up alone. */
  readonly measuringMs: number;
  readonly budgetMs: number;
}

interface PlanOptions {
  suites: readonly Suite[];
  mode: Mode;
  runtimes: readonly RuntimeName[];
  seed: number;
}

export async function plannedSuites({ suites, mode, runtimes, seed }: PlanOptions): Promise<PlannedSuite[]> {
  await using temporary = await makeBenchFolder();
  const folder = temporary.path;
  const planned: PlannedSuite[] = [];
  for (const suite of suites) {
    const budgetMs = suite.budgetMs[mode];
    const signal = new AbortController().signal;
    const context: PlanContext = { mode, runtimes, folder, random: seededRandom(seed), signal, budgetMs };
    const plan = await suite.plan(context);
    await suite.close?.();
    const cells = withNoise(plan);
    const { processesIn, rounds } = countsFor(plan, mode);
    const perProcess = (cell: Cell): number => (cell.warmUpMs ?? cell.roundMs) + rounds * cell.roundMs;
    planned.push({
      name: suite.name,
      cells: cells.length,
      processes: Math.max(0, ...cells.map(processesIn)),
      rounds,
      measuringMs: cells.reduce((sum, cell) => sum + processesIn(cell) * perProcess(cell), 0),
      budgetMs,
    });
  }
  return planned;
}

export async function planOf(options: PlanOptions): Promise<string> {
  const planned = await plannedSuites(options);
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  const whole = planned.reduce((sum, { budgetMs }) => sum + budgetMs, 0);
  return [
    ...planned.map(
      ({ name, cells, processes, rounds, measuringMs, budgetMs }) =>
        `${name.padEnd(10)} ${cells} cells, up to ${processes} × ${rounds} rounds, ${seconds(measuringMs)} of measuring within ${seconds(budgetMs)}`,
    ),
    `in all     ${seconds(whole)}`,
  ].join('\n');
}
