/** What a plot shows, as plain rows: taken out of the report, and for stacks put one upon the other. Used by `pictures.ts`. */

import type { CellReport, PlotReport, SuiteReport } from '../report-schema.ts';
import { number } from './numbers.ts';
import { cellsWhere } from './report-figures.ts';

export interface Point {
  x: string | number;
  value: number;
  low: number;
  high: number;
  text: string;
  series: string;
  panel: string;
  isFloor: boolean;
}

function pointOf(plot: PlotReport, cell: CellReport, metric: string, series: string, isFloor: boolean): Point[] {
  const estimate = cell.metrics[metric]?.estimates[plot.figure];
  if (estimate === undefined) return [];
  if (plot.logY && estimate.value <= 0) return [];
  return [
    {
      x: isFloor ? (plot.floor?.title ?? '') : (cell.labels[plot.x] ?? ''),
      value: estimate.value,
      low: plot.logY ? Math.max(estimate.low, estimate.value / 1e6) : estimate.low,
      high: estimate.high,
      text: number(estimate.value),
      series,
      panel: plot.panel === undefined ? '' : String(cell.labels[plot.panel] ?? ''),
      isFloor,
    },
  ];
}

/** The floor's points come with those of its panels; for a stack there is one per part. */
export function pointsOf(suite: SuiteReport, plot: PlotReport): Point[] {
  const [metric = ''] = plot.metrics;
  const own = cellsWhere(suite, plot.where).flatMap((cell) =>
    plot.kind === 'stack'
      ? plot.metrics.flatMap((part) => pointOf(plot, cell, part, suite.metrics[part]?.title ?? part, false))
      : pointOf(plot, cell, metric, plot.series === undefined ? '' : String(cell.labels[plot.series] ?? ''), false),
  );
  if (plot.floor === undefined) return own;
  const floor = cellsWhere(suite, plot.floor.where).flatMap((cell) => pointOf(plot, cell, metric, '', true));
  const panels = new Set(own.map(({ panel }) => panel));
  return [...own, ...floor.filter(({ panel }) => plot.panel === undefined || panels.has(panel))];
}

/** In the order in which they first come. */
export const distinct = <Value>(values: readonly Value[]): Value[] => [...new Set(values)];

export interface Placed extends Point {
  from: number;
  to: number;
  middle: number;
  isWide: boolean;
}

/** Positive parts one after the other from zero; negative ones the other way. */
export function stacked(points: readonly Point[], order: readonly string[], whole_: number): Placed[] {
  const ends = new Map<string, { up: number; down: number }>();
  const sorted = points.toSorted((a, b) => order.indexOf(a.series) - order.indexOf(b.series));
  return sorted.map((point): Placed => {
    const key = `${point.panel}/${point.x}`;
    const end = ends.get(key) ?? { up: 0, down: 0 };
    const side = point.value >= 0 ? 'up' : 'down';
    const from = end[side];
    end[side] += point.value;
    ends.set(key, end);
    const isWide = Math.abs(point.value) > whole_ * 0.1;
    return { ...point, from, to: end[side], middle: (from + end[side]) / 2, isWide };
  });
}
