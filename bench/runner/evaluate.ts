/** Makes a suite's part of the report from its measured rounds: estimates with intervals, ratios, noise, findings. */

import type { CellReport, ComparisonReport, RoundFigures, SuiteReport } from '../report-schema.ts';
import { Samples } from '../samples.ts';
import { estimate, isTold, leastRounds, type Rounds, ratioEstimate, verdictOf } from '../statistics.ts';
import {
  type Comparison,
  cellId,
  type Estimate,
  type Figure,
  type Figures,
  type Labels,
  type Metric,
  type RatioEstimate,
} from '../suite.ts';
import { pooledQuantile, pooledRatio, type RoundPair } from './pooled-quantile.ts';
import type { MeasuredCell, MeasuredSuite } from './run-suite.ts';

/** Of each round's samples; a round answers the median of rounds. */
const perRound = { p50: 0.5, p90: 0.9 } as const;
/** Of all samples together: a round alone has too few beyond them. */
const pooled = { p99: 0.99, p999: 0.999 } as const;

export function evaluateSuite(measured: MeasuredSuite, seed: number): SuiteReport {
  const { suite, plan, cells } = measured;
  const of = new Map(cells.map((cell) => [cell.cell.id, cell]));
  const figures = figuresOf(of, seed);
  return {
    name: suite.name,
    title: suite.title,
    question: suite.question,
    ...(measured.failure === undefined ? {} : { failure: measured.failure }),
    processes: measured.processes,
    rounds: measured.rounds,
    budget_s: measured.budgetMs / 1000,
    duration_s: round3(measured.durationMs / 1000),
    metrics: { ...plan.metrics },
    cells: cells.map((cell) => cellReport(cell, plan.metrics, seed)),
    left_out: [...(plan.leftOut ?? [])],
    noise: noiseOf(cells, plan.metrics, seed),
    comparisons: (plan.comparisons ?? []).map((comparison) => compare(comparison, figures)),
    plots: (plan.plots ?? []).map(plain),
    findings: findingsOf(measured, figures),
  };
}

/** A copy that is plain JSON. */
const plain = <Value>(value: Value): SuiteReport['plots'][number] => JSON.parse(JSON.stringify(value));

export const round3 = (value: number): number => Number(value.toPrecision(5));
const rounded = ({ value, low, high }: Estimate): Estimate => ({
  value: round3(value),
  low: round3(low),
  high: round3(high),
});
const roundedRatio = (ratio: RatioEstimate | undefined) =>
  ratio === undefined ? null : { ...rounded(ratio), verdict: ratio.verdict };

function cellReport(measured: MeasuredCell, metrics: Readonly<Record<string, Metric>>, seed: number): CellReport {
  const { cell, rounds, failure, notes } = measured;
  const figures: CellReport['metrics'] = {};
  for (const name of Object.keys(metrics)) {
    const given = rounds.filter((each) => each.figures[name] !== undefined);
    if (given.length === 0) continue;
    const all = given.map((each) => each.figures[name]).filter((each) => each instanceof Samples);
    const estimates: CellReport['metrics'][string]['estimates'] = {};
    for (const figure of allFigures) {
      const found = estimateOf(measured, name, figure, seed);
      if (found !== undefined && Number.isFinite(found.value)) estimates[figure] = rounded(found);
    }
    figures[name] = {
      rounds: given.map((each): RoundFigures => {
        const { process, round } = each;
        return { process, round, ...summary(each.figures[name] ?? 0) };
      }),
      estimates,
      ...(all.length === 0 ? {} : { samples: together(all).encode() }),
    };
  }
  return {
    id: cell.id,
    labels: { ...cell.labels },
    block: cell.block ?? 'all',
    ...(cell.againOf === undefined ? {} : { again_of: cell.againOf }),
    status: rounds.length > 0 ? 'measured' : failure === undefined ? 'not_run' : 'failed',
    ...(failure === undefined ? {} : { failure }),
    round_ms: cell.roundMs,
    warm_up_ms: cell.warmUpMs ?? cell.roundMs,
    metrics: figures,
    ...(notes === undefined ? {} : { notes: { ...notes } }),
  };
}

const allFigures: readonly Figure[] = ['p50', 'p90', 'p99', 'p999', 'mean', 'max', 'value'];

function together(all: readonly Samples[]): Samples {
  const whole = new Samples();
  for (const samples of all) whole.merge(samples);
  return whole;
}

function summary(figure: number | Samples) {
  if (typeof figure === 'number') return { value: round3(figure) };
  return {
    count: figure.count,
    mean: round3(figure.mean),
    min: round3(figure.min),
    max: round3(figure.max),
    p50: round3(figure.quantile(0.5)),
    p90: round3(figure.quantile(0.9)),
    p99: round3(figure.quantile(0.99)),
    p999: round3(figure.quantile(0.999)),
  };
}

/** Median of rounds, or the quantile of all samples for the tail. Undefined when there are too few samples for it. */
function estimateOf(measured: MeasuredCell, metric: string, figure: Figure, seed: number): Estimate | undefined {
  if (figure !== 'p99' && figure !== 'p999') {
    const rounds = roundsOf(measured, metric, figure);
    return rounds.flat().some(Number.isFinite) ? estimate(rounds, seed) : undefined;
  }
  const groups = samplesOf(measured, metric).map((group) => group.filter((each) => each !== undefined));
  if (!isTold(countOf(groups.flat()), pooled[figure])) return undefined;
  return pooledQuantile(
    groups.filter((group) => group.length > 0),
    pooled[figure],
    seed,
  );
}

const countOf = (all: readonly Samples[]): number => all.reduce((sum, samples) => sum + samples.count, 0);

/** `of ÷ to`, as the figures of each are made. Undefined when a side was not measured, or has too few samples for the figure. */
function ratioOf(
  of: MeasuredCell,
  to: MeasuredCell,
  metric: string,
  figure: Figure,
  seed: number,
): RatioEstimate | undefined {
  if (figure !== 'p99' && figure !== 'p999')
    return ratioEstimate(roundsOf(of, metric, figure), roundsOf(to, metric, figure), seed);
  const others = samplesOf(to, metric);
  const groups = samplesOf(of, metric).map((group, process) =>
    group.flatMap((one, round): RoundPair[] => {
      const other = others[process]?.[round];
      return one === undefined || other === undefined ? [] : [[one, other]];
    }),
  );
  const pairs = groups.flat();
  if (![0, 1].every((side) => isTold(countOf(pairs.flatMap((pair) => pair[side] ?? [])), pooled[figure])))
    return undefined;
  const found = pooledRatio(
    groups.filter((group) => group.length > 0),
    pooled[figure],
    seed,
  );
  return { ...found, verdict: pairs.length < leastRounds ? 'same' : verdictOf(found) };
}

/** The samples of each round, at the round's place. */
function samplesOf(measured: MeasuredCell, metric: string): (Samples | undefined)[][] {
  return byProcess(measured).map((group) => {
    const placed: (Samples | undefined)[] = [];
    for (const { round, figures } of group) {
      const value = figures[metric];
      if (value instanceof Samples) placed[round] = value;
    }
    return Array.from(placed);
  });
}

function byProcess({ rounds }: MeasuredCell): MeasuredCell['rounds'][] {
  const groups: MeasuredCell['rounds'][] = [];
  for (const each of rounds) {
    groups[each.process] ??= [];
    groups[each.process]?.push(each);
  }
  return Array.from(groups, (group) => group ?? []);
}

/** One figure per round, at the round's place, so that two cells can be set side by side round by round. */
function roundsOf(measured: MeasuredCell, metric: string, figure: Figure): Rounds {
  return byProcess(measured).map((group) => {
    const placed: number[] = [];
    for (const { round, figures } of group) {
      const value = figures[metric];
      if (value !== undefined) placed[round] = figureOf(value, figure);
    }
    return Array.from(placed, (value) => value ?? Number.NaN);
  });
}

function figureOf(value: number | Samples, figure: Figure): number {
  if (typeof value === 'number') return figure === 'value' ? value : Number.NaN;
  if (figure === 'mean') return value.mean;
  if (figure === 'max') return value.max;
  if (figure === 'value') return Number.NaN;
  if (figure === 'p99' || figure === 'p999') return Number.NaN;
  return value.count === 0 ? Number.NaN : value.quantile(perRound[figure]);
}

function figuresOf(cells: ReadonlyMap<string, MeasuredCell>, seed: number): Figures {
  return {
    get(labels, metric, figure) {
      const cell = cells.get(cellId(labels));
      return cell === undefined ? undefined : estimateOf(cell, metric, figure, seed);
    },
    ratio(of: Labels, to: Labels, metric, figure) {
      const [one, other] = [cells.get(cellId(of)), cells.get(cellId(to))];
      if (one === undefined || other === undefined) return undefined;
      return ratioOf(one, other, metric, figure, seed);
    },
  };
}

function compare({ title, metric, figure, target, pairs }: Comparison, figures: Figures): ComparisonReport {
  return {
    ...{ title, metric, figure },
    ...(target === undefined ? {} : { target }),
    pairs: pairs.map(({ label, of, to }) => {
      const ratio = figures.ratio(of, to, metric, figure);
      return {
        ...{ label, of: cellId(of), to: cellId(to), ratio: roundedRatio(ratio) },
        ...(target === undefined || ratio === undefined ? {} : { outcome: outcomeOf(ratio, target) }),
      };
    }),
  };
}

/** Met or missed when the whole interval is on one side of the target; anything else was not shown. */
export function outcomeOf({ low, high }: Estimate, target: NonNullable<Comparison['target']>) {
  if ('atMost' in target) return high <= target.atMost ? 'met' : low > target.atMost ? 'missed' : 'not_shown';
  return low >= target.atLeast ? 'met' : high < target.atLeast ? 'missed' : 'not_shown';
}

function noiseOf(
  cells: readonly MeasuredCell[],
  metrics: Readonly<Record<string, Metric>>,
  seed: number,
): SuiteReport['noise'] {
  const again = cells.find(({ cell }) => cell.againOf !== undefined);
  const first = cells.find(({ cell }) => cell.id === again?.cell.againOf);
  if (again === undefined || first === undefined) return [];
  return Object.keys(metrics).flatMap((metric) =>
    (['p50', 'p99', 'value'] as const).flatMap((figure) => {
      const ratio = ratioOf(again, first, metric, figure, seed);
      // A part that is a difference may be less than nothing: how many times it is itself says nothing then.
      return ratio === undefined || ratio.low <= 0
        ? []
        : [{ cell: first.cell.id, metric, figure, ratio: roundedRatio(ratio) }];
    }),
  );
}

function findingsOf({ plan }: MeasuredSuite, figures: Figures): SuiteReport['findings'] {
  try {
    return plan.findings?.(figures) ?? [];
  } catch (thrown) {
    return [{ kind: 'unexplained', text: `The suite could not judge its own figures: ${String(thrown)}` }];
  }
}
