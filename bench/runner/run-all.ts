/** Runs suites one after the other and makes the report of them. An interrupted run gives the report of what was measured until then. */

import { seededRandom } from '../random.ts';
import { type Report, report, reportVersion } from '../report-schema.ts';
import type { Mode, RuntimeName, Suite } from '../suite.ts';
import { makeBenchFolder } from './bench-folder.ts';
import { evaluateSuite } from './evaluate.ts';
import { commitOf, thisMachine, versions } from './machine.ts';
import { Progress, type ProgressOutput } from './progress.ts';
import { type MeasuredSuite, runSuite } from './run-suite.ts';

export interface RunOptions {
  suites: readonly Suite[];
  mode: Mode;
  runtimes: readonly RuntimeName[];
  seed: number;
  /** Ends the run; what was measured stands. */
  signal: AbortSignal;
  progress: ProgressOutput;
}

export async function runAll({ suites, mode, runtimes, seed, signal, progress }: RunOptions): Promise<Report> {
  const startedAt = new Date();
  const from = performance.now();
  const machine = thisMachine();
  const stages = suites.map(({ name, budgetMs }) => ({ name, budgetMs: budgetMs[mode] }));
  const shown = new Progress(progress, stages);
  await using temporary = await makeBenchFolder();
  const folder = temporary.path;
  const random = seededRandom(seed);
  const measured: MeasuredSuite[] = [];
  try {
    for (const [index, suite] of suites.entries()) {
      if (signal.aborted) break;
      shown.begin(index);
      const options = { mode, runtimes, folder, random, signal, budgetMs: suite.budgetMs[mode] };
      measured.push(await runSuite(suite, { ...options, onProgress: (what, done) => shown.step(what, done) }));
    }
  } finally {
    shown.end();
  }
  return report.parse({
    version: reportVersion,
    started_at: startedAt.toISOString(),
    duration_s: Math.round((performance.now() - from) / 100) / 10,
    mode,
    complete: !signal.aborted && measured.length === suites.length,
    seed,
    ...commitOf(),
    machine,
    versions: versions(),
    suites: measured.map((each) => evaluateSuite(each, seed)),
  } satisfies Report);
}
