/** Reports with figures that a test chooses, which fit the schema as real ones do. */

import { type Report, report, reportVersion, type SuiteReport } from '../../bench/report-schema.ts';
import { estimate } from '../../bench/statistics.ts';
import { cellId, type Labels, type Metric } from '../../bench/suite.ts';

export interface MadeUpCell {
  labels: Labels;
  /** Per metric: one figure per round; it stands for all figures of a distribution, or is the value. */
  rounds: Record<string, readonly number[]>;
  isValue?: boolean;
}

export const latency: Metric = { title: 'Latency', unit: 'µs', better: 'less' };
export const rate: Metric = { title: 'Throughput', unit: 'calls/s', better: 'more' };

/** `around(100, 1)`: twelve figures within 1 % of 100, always the same. */
export const around = (value: number, percent: number): number[] =>
  Array.from({ length: 12 }, (_, index) => value * (1 + ((((index * 7) % 12) - 5.5) / 5.5) * (percent / 100)));

export function madeUpSuite(
  name: string,
  metrics: Record<string, Metric>,
  cells: readonly MadeUpCell[],
  more: Partial<SuiteReport> = {},
): SuiteReport {
  return {
    ...{ name, title: `Suite ${name}`, question: 'How long?', processes: 3, rounds: 4, budget_s: 10, duration_s: 9 },
    ...{ metrics, left_out: [], noise: [], comparisons: [], plots: [], findings: [] },
    cells: cells.map(({ labels, rounds, isValue = false }) => ({
      ...{ id: cellId(labels), labels: { ...labels }, block: 'all', status: 'measured', round_ms: 50, warm_up_ms: 50 },
      metrics: Object.fromEntries(
        Object.entries(rounds).map(([metric, figures]) => [
          metric,
          {
            rounds: figures.map((value, index) => {
              const at = { process: index % 3, round: Math.floor(index / 3) };
              const all = { p50: value, p90: value, p99: value, p999: value, mean: value, min: value, max: value };
              return isValue ? { ...at, value } : { ...at, count: 100, ...all };
            }),
            estimates: Object.fromEntries(
              (isValue ? ['value'] : ['p50', 'p99']).map((figure) => [figure, estimate([figures])]),
            ),
          },
        ]),
      ),
    })),
    ...more,
  };
}

export function madeUpReport(suites: readonly SuiteReport[], more: Partial<Report> = {}): Report {
  return report.parse({
    ...{ version: reportVersion, started_at: '2026-01-02T03:04:05.000Z', duration_s: 60, mode: 'full', complete: true },
    ...{ seed: 1, commit: 'abc1234', modified: false, versions: { node: '26.0.0', deno: '2.9.0' } },
    machine: {
      ...{ name: 'Big Box', model: 'Some CPU', cores: 8, memory_mb: 16_000, kernel: 'Linux 6', pinning: 'none' },
      load_before: 0,
    },
    suites,
    ...more,
  });
}
