/**
 * Two reports side by side: what changed beyond noise. A figure has changed when the interval of its ratio shows a difference
 * (see `verdictOf`), and when that is larger than what either report saw between a thing and itself (its A/A cell).
 */

import type { CellReport, Report, SuiteReport } from '../report-schema.ts';
import { ratioOfEstimates, unpairedRatio } from '../statistics.ts';
import type { Figure, Metric, RatioEstimate } from '../suite.ts';
import { roundsOf } from './report-figures.ts';

export interface Change {
  readonly suite: string;
  readonly cell: string;
  readonly metric: Metric;
  readonly figure: Figure;
  /** The second report ÷ the first. */
  readonly ratio: RatioEstimate;
  /** Whether it is for the better. */
  readonly isBetter: boolean;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Figures that both reports have. */
  readonly compared: number;
  /** Why the two are not quite alike: machine, mode, versions. */
  readonly differences: readonly string[];
  /** Cells that only one of them measured. */
  readonly onlyInOne: readonly string[];
}

const figures: readonly Figure[] = ['p50', 'p99', 'value'];

export function compareReports(first: Report, second: Report): Comparison {
  const changes: Change[] = [];
  const onlyInOne: string[] = [];
  let compared = 0;
  for (const suite of first.suites) {
    const other = second.suites.find(({ name }) => name === suite.name);
    const before = measuredCells(suite);
    const after = measuredCells(other);
    for (const id of new Set([...before.keys(), ...after.keys()])) {
      const [one, two] = [before.get(id), after.get(id)];
      if (one === undefined || two === undefined || other === undefined) onlyInOne.push(`${suite.name}: ${id}`);
      else {
        const found = changesOf([suite, one], [other, two]);
        compared += found.compared;
        changes.push(...found.changes);
      }
    }
  }
  const strangers = second.suites.filter(({ name }) => first.suites.every((suite) => suite.name !== name));
  onlyInOne.push(...strangers.map(({ name }) => `${name}: the whole suite`));
  return { changes, compared, differences: differencesOf(first, second), onlyInOne };
}

const measuredCells = (suite: SuiteReport | undefined): Map<string, CellReport> =>
  new Map(
    (suite?.cells ?? [])
      .filter(({ status, again_of }) => status === 'measured' && again_of === undefined)
      .map((cell) => [cell.id, cell]),
  );

function changesOf(
  [suite, before]: [SuiteReport, CellReport],
  [other, after]: [SuiteReport, CellReport],
): { changes: Change[]; compared: number } {
  const changes: Change[] = [];
  let compared = 0;
  for (const [name, metric] of Object.entries(suite.metrics)) {
    for (const figure of figures) {
      const ratio = changeOf(after, before, name, figure);
      if (ratio === undefined || !Number.isFinite(ratio.value) || ratio.value <= 0) continue;
      compared++;
      const noise = Math.max(noiseIn(suite, name, figure), noiseIn(other, name, figure));
      if (ratio.verdict === 'same' || Math.abs(Math.log(ratio.value)) <= noise) continue;
      const isBetter = (ratio.verdict === 'less') === (metric.better === 'less');
      changes.push({ suite: suite.name, cell: before.id, metric, figure, ratio, isBetter });
    }
  }
  return { changes, compared };
}

/** The second ÷ the first. Of a p99 as it stands in the tables: it is one of all rounds together. */
function changeOf(after: CellReport, before: CellReport, metric: string, figure: Figure): RatioEstimate | undefined {
  if (figure !== 'p99') return unpairedRatio(roundsOf(after, metric, figure), roundsOf(before, metric, figure));
  const [one, other] = [after.metrics[metric], before.metrics[metric]];
  const [of, to] = [one?.estimates.p99, other?.estimates.p99];
  if (one === undefined || other === undefined || of === undefined || to === undefined) return undefined;
  return ratioOfEstimates(of, to, Math.min(one.rounds.length, other.rounds.length));
}

/**
 * How far the A/A ratio's interval goes from 1, as a logarithm: without bound where it reaches zero. 0 where nothing was measured
 * against itself: the intervals alone speak there.
 */
function noiseIn({ noise }: SuiteReport, metric: string, figure: Figure): number {
  const found = noise.find((each) => each.metric === metric && each.figure === figure)?.ratio;
  if (found === null || found === undefined) return 0;
  if (found.low <= 0) return Number.POSITIVE_INFINITY;
  return Math.max(Math.abs(Math.log(found.low)), Math.abs(Math.log(found.high)));
}

function differencesOf(first: Report, second: Report): string[] {
  const facts = ({ mode, commit, modified, seed, machine, versions }: Report): Record<string, string> => ({
    mode,
    commit: modified ? `${commit}, modified` : commit,
    seed: String(seed),
    'load before it began': String(Math.round(machine.load_before)),
    machine: `${machine.name}, ${machine.cores} × ${machine.model}, ${machine.kernel}`,
    pinning: machine.pinning,
    ...versions,
  });
  const [one, two] = [facts(first), facts(second)];
  return [...new Set([...Object.keys(one), ...Object.keys(two)])]
    .filter((name) => one[name] !== two[name])
    .map((name) => `${name}: ${one[name] ?? '–'} → ${two[name] ?? '–'}`);
}
