/** Reads figures out of a report: by the rules for choosing a layout, by `compare`, by the pictures. */

import type { CellReport, Report, RoundFigures, SuiteReport } from '../report-schema.ts';
import { type Rounds, ratioEstimate } from '../statistics.ts';
import { cellId, type Figure, type Labels, type RatioEstimate } from '../suite.ts';

export type Where = Readonly<Record<string, string | number | readonly (string | number)[]>>;

export const suiteOf = (report: Report, name: string): SuiteReport | undefined =>
  report.suites.find((suite) => suite.name === name);

/** Cells that were measured, the A/A cell left out, whose labels are or are among what `where` says. */
export function cellsWhere({ cells }: SuiteReport, where: Where): CellReport[] {
  return cells.filter(
    (cell) =>
      cell.status === 'measured' &&
      cell.again_of === undefined &&
      Object.entries(where).every(([name, wanted]) => {
        const label = cell.labels[name];
        return label !== undefined && (Array.isArray(wanted) ? wanted.includes(label) : wanted === label);
      }),
  );
}

const figureOf = (round: RoundFigures, figure: Figure): number => {
  const value = (round as Readonly<Record<string, number>>)[figure];
  return value ?? Number.NaN;
};

/** One figure per round, placed by process and round. */
export function roundsOf(cell: CellReport, metric: string, figure: Figure): Rounds {
  const placed: number[][] = [];
  for (const round of cell.metrics[metric]?.rounds ?? []) {
    placed[round.process] ??= [];
    (placed[round.process] as number[])[round.round] = figureOf(round, figure);
  }
  return Array.from(placed, (group) => Array.from(group ?? [], (value) => value ?? Number.NaN));
}

/** As the suite compared them: the only way to a ratio of p99, which takes the rounds' samples. Undefined when it did not. */
export function comparedRatio(
  { comparisons }: SuiteReport,
  { of, to, metric, figure }: { of: Labels; to: Labels; metric: string; figure: Figure },
): RatioEstimate | undefined {
  const pairs = comparisons
    .filter((each) => each.metric === metric && each.figure === figure)
    .flatMap(({ pairs }) => pairs);
  return pairs.find((pair) => pair.of === cellId(of) && pair.to === cellId(to))?.ratio ?? undefined;
}

/** `of ÷ to`, round by round, of a median or a value. Undefined when either was not measured. */
export function ratioIn(
  suite: SuiteReport,
  { of, to, metric, figure }: { of: Labels; to: Labels; metric: string; figure: Figure },
): RatioEstimate | undefined {
  const [one] = cellsWhere(suite, of);
  const [other] = cellsWhere(suite, to);
  if (one === undefined || other === undefined) return undefined;
  return ratioEstimate(roundsOf(one, metric, figure), roundsOf(other, metric, figure));
}
