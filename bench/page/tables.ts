/** The report's tables, as rows of text: written as Markdown and as HTML from the same. */

import type { CellReport, Report, SuiteReport } from '../report-schema.ts';
import type { RatioEstimate } from '../suite.ts';
import { duration, number, withInterval } from './numbers.ts';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  /** Columns from here on are numbers. */
  readonly firstNumber: number;
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

/** Stands under every table. */
export function conditions(report: Report, suite: SuiteReport): string {
  const { machine, versions, commit, modified, seed } = report;
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.name}: ${machine.cores} × ${machine.model}, ${machine.kernel}`,
    used.join(', '),
    `commit ${commit}${modified ? ' with changes' : ''}, seed ${seed}, ${report.mode} run of ${report.started_at.slice(0, 10)}`,
    `${processesIn(suite)} × ${suite.rounds} rounds, ${duration(suite.duration_s)} of ${duration(suite.budget_s)}`,
    `pinning: ${machine.pinning}`,
  ].join('; ');
}

/** Where blocks differ, the least and the most. */
function processesIn({ cells, processes }: SuiteReport): string {
  const counts = cells.flatMap(({ metrics }) =>
    Object.values(metrics).map(({ rounds }) => new Set(rounds.map(({ process }) => process)).size),
  );
  const least = Math.min(processes, ...counts);
  return least === processes ? `${processes}` : `${least} to ${processes}`;
}

/** Labels that are the same in all cells say nothing in a row. */
function varying(cells: readonly CellReport[]): string[] {
  const names = [...new Set(cells.flatMap(({ labels }) => Object.keys(labels)))];
  return names.filter((name) => new Set(cells.map(({ labels }) => labels[name])).size > 1);
}

type Column = { title: string; of(cell: CellReport): string };

function columnsOf(suite: SuiteReport, cells: readonly CellReport[]): Column[] {
  return Object.entries(suite.metrics).flatMap(([name, { title, unit }]): Column[] => {
    const shown = (['p50', 'p90', 'p99', 'p999', 'value'] as const).filter((figure) =>
      cells.some(({ metrics }) => metrics[name]?.estimates[figure] !== undefined),
    );
    return shown.map((figure) => ({
      title: figure === 'value' ? `${title}, ${unit}` : `${title} ${figure === 'p999' ? 'p99.9' : figure}, ${unit}`,
      of(cell) {
        const estimate = cell.metrics[name]?.estimates[figure];
        if (estimate === undefined) return '–';
        return figure === 'p90' ? number(estimate.value) : withInterval(estimate);
      },
    }));
  });
}

/** Every cell with its figures. */
export function cellTable(suite: SuiteReport): Table {
  const cells = suite.cells.filter(({ status, again_of }) => status === 'measured' && again_of === undefined);
  const names = varying(cells);
  const columns = columnsOf(suite, cells);
  return {
    title: `All figures of “${suite.title}”`,
    columns: [...names.map((name) => name.replaceAll('_', ' ')), ...columns.map(({ title }) => title)],
    firstNumber: names.length,
    rows: cells.map((cell) => [
      ...names.map((name) => String(cell.labels[name] ?? '–')),
      ...columns.map((column) => column.of(cell)),
    ]),
    note: 'Medians of rounds with their 95 % intervals; p99 and p99.9 are of all samples. “–”: too few samples.',
  };
}

export function verdictInWords(ratio: RatioEstimate | null): string {
  if (ratio === null) return 'not measured';
  if (ratio.verdict === 'same') return 'no difference seen';
  return ratio.verdict === 'less' ? 'less' : 'more';
}

const outcomes = { met: 'met', missed: 'missed', not_shown: 'not shown' } as const;

export function comparisonTables(suite: SuiteReport): Table[] {
  return suite.comparisons.map(({ title, target, pairs }) => {
    const wanted =
      target === undefined ? [] : 'atMost' in target ? [`at most ${target.atMost}`] : [`at least ${target.atLeast}`];
    return {
      title,
      columns: ['pair', 'ratio', 'what it shows', ...wanted.map((text) => `target: ${text}`)],
      firstNumber: 1,
      rows: pairs.map(({ label, ratio, outcome }) => [
        label,
        ratio === null ? '–' : withInterval(ratio),
        verdictInWords(ratio),
        ...wanted.map(() => (outcome === undefined ? '–' : outcomes[outcome])),
      ]),
    };
  });
}

/** The ratio of a thing to itself, as it should be 1. */
export function noiseTable(suite: SuiteReport): Table | undefined {
  if (suite.noise.length === 0) return undefined;
  return {
    title: 'Noise: a cell against itself in another process (A/A)',
    columns: ['cell', 'figure', 'ratio', 'what it shows'],
    firstNumber: 2,
    rows: suite.noise.map(({ cell, metric, figure, ratio }) => [
      cell,
      `${suite.metrics[metric]?.title ?? metric} ${figure === 'value' ? '' : figure}`.trim(),
      ratio === null ? '–' : withInterval(ratio),
      verdictInWords(ratio),
    ]),
  };
}

/** What failed, what was not run, what cannot be measured here. */
export function gapsTable(suite: SuiteReport): Table | undefined {
  const rows = [
    ...(suite.failure === undefined ? [] : [['the whole suite', suite.failure]]),
    ...suite.cells
      .filter(({ failure, status }) => failure !== undefined || status === 'not_run')
      .map(({ id, status, failure }) => [
        status === 'measured' ? `${id} (in part)` : id,
        (failure ?? 'not run').split('\n')[0] ?? '',
      ]),
    ...suite.left_out.map(({ what, why }) => [what, why]),
  ];
  if (rows.length === 0) return undefined;
  return { title: 'Left out, failed, or not run', columns: ['what', 'why'], firstNumber: 2, rows };
}
