/**
 * Draws a suite's plots as SVG, by Vega-Lite, without a browser. Colours are put in as CSS variables afterwards, so that the
 * page can be light or dark; every series has a shape, a dash or a hatching of its own besides its colour.
 */

import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { PlotReport, SuiteReport } from '../report-schema.ts';
import { ink, inkOf, paint } from './paint.ts';
import { distinct, type Point, pointsOf, stacked } from './plot-points.ts';

/** What can be told apart by shape and dash; more series than that would not be readable anyway. */
const shapes = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-left',
  'triangle-right',
];
const dashes = [[], [6, 3], [2, 2], [10, 3, 2, 3], [10, 3], [1, 3], [6, 2, 1, 2, 1, 2], [12, 6]];

const panelWidth = 330;
const rowHeight = 20;

/** Undefined when no cell of the plot was measured. */
export async function drawPlot(suite: SuiteReport, plot: PlotReport): Promise<string | undefined> {
  const points = pointsOf(suite, plot);
  if (!points.some(({ isFloor }) => !isFloor)) return undefined;
  const spec = { bars: dotsSpec, lines: linesSpec, stack: stackSpec }[plot.kind](suite, plot, points);
  const { spec: compiled } = compile(spec, { logger: silent });
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return paint(svg, plot.kind === 'stack');
}

const silent = {
  level: () => silent,
  error: () => silent,
  warn: () => silent,
  info: () => silent,
  debug: () => silent,
};

const axisTitle = (suite: SuiteReport, { metrics, figure }: PlotReport): string => {
  const metric = suite.metrics[metrics[0] ?? ''];
  const which = figure === 'value' ? '' : figure === 'p50' ? ', median' : `, ${figure === 'p999' ? 'p99.9' : figure}`;
  return `${metric?.title ?? ''}${which} (${metric?.unit ?? ''})`;
};

/** A scale that gives every series its colour, and something else besides. */
function seriesScales(names: readonly string[]) {
  const range = <Value>(from: readonly Value[]): Value[] => names.map((_, index) => from[index % from.length] as Value);
  return {
    color: { domain: [...names], range: names.map((_, index) => inkOf(index)) },
    shape: { domain: [...names], range: range(shapes) },
    dash: { domain: [...names], range: range(dashes) },
  };
}

const config = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: ink.faint },
  axis: {
    ...{
      labelColor: ink.text,
      titleColor: ink.text,
      tickColor: ink.faint,
      domainColor: ink.faint,
      gridColor: ink.faint,
    },
    ...{ labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal' as const, labelLimit: 220, titlePadding: 8 },
  },
  legend: { labelColor: ink.text, titleColor: ink.text, labelFontSize: 12, labelLimit: 420, symbolSize: 90 },
  header: { labelColor: ink.text, titleColor: ink.text, labelFontSize: 13, labelFontWeight: 'bold' as const },
};

const whole = (plot: PlotReport, points: Point[], layer: object[], size: object): TopLevelSpec =>
  ({
    data: { values: points },
    config,
    ...(plot.panel === undefined
      ? { layer, ...size }
      : {
          facet: {
            // “node” says itself what it is, “64” does not.
            column: {
              field: 'panel',
              type: 'nominal',
              title: plot.panel.startsWith('runtime') ? null : plot.panel.replaceAll('_', ' '),
              sort: distinct(points.map(({ panel }) => panel)),
            },
          },
          spec: { layer, ...size },
        }),
  }) as TopLevelSpec;

/** One line per x, with its interval and its figure; the floor is a dashed rule through all of them. */
function dotsSpec(suite: SuiteReport, plot: PlotReport, points: Point[]): TopLevelSpec {
  const names = distinct(points.filter(({ isFloor }) => !isFloor).map(({ series }) => series));
  const rows = distinct(points.filter(({ isFloor }) => !isFloor).map(({ x }) => x));
  const scales = seriesScales(names);
  const value = {
    ...{ field: 'value', type: 'quantitative', title: axisTitle(suite, plot) },
    scale: plot.logY ? { type: 'log' } : { zero: true },
    axis: axisOf(plot, points),
  };
  const isGrouped = names.length > 1;
  const y = { field: 'x', type: 'nominal', sort: rows, title: null };
  const offset = isGrouped ? { yOffset: { field: 'series', type: 'nominal', sort: names } } : {};
  const color = isGrouped
    ? { field: 'series', type: 'nominal', scale: scales.color, title: plot.series?.replaceAll('_', ' ') }
    : { value: inkOf(0) };
  const shape = isGrouped
    ? { shape: { field: 'series', type: 'nominal', scale: scales.shape, title: plot.series?.replaceAll('_', ' ') } }
    : {};
  const own = [{ filter: '!datum.isFloor' }];
  const layer = [
    {
      transform: own,
      mark: { type: 'rule', strokeWidth: 2 },
      encoding: { y, ...offset, x: { ...value, field: 'low' }, x2: { field: 'high' }, color },
    },
    {
      transform: own,
      mark: { type: 'point', filled: true, size: 70, opacity: 1 },
      encoding: { y, ...offset, x: value, color, ...shape },
    },
    {
      transform: own,
      mark: { type: 'text', align: 'left', dx: 8, dy: isGrouped ? 0 : -7, fontSize: 11, fill: ink.text },
      // Grouped rows leave no room above the interval's line: the figure stands at its end.
      encoding: { y, ...offset, x: isGrouped ? { ...value, field: 'high' } : value, text: { field: 'text' } },
    },
    ...(points.some(({ isFloor }) => isFloor)
      ? [
          {
            transform: [{ filter: 'datum.isFloor' }],
            mark: { type: 'rule', strokeDash: [5, 4], stroke: ink.text, strokeWidth: 1.5 },
            encoding: { x: value },
          },
          {
            transform: [{ filter: 'datum.isFloor' }, { calculate: "datum.x + ': ' + datum.text", as: 'label' }],
            mark: { type: 'text', align: 'left', dx: 4, dy: -8, fontSize: 11, fontStyle: 'italic', fill: ink.text },
            encoding: { x: value, y: { value: 0 }, text: { field: 'label' } },
          },
        ]
      : []),
  ];
  const height = isGrouped ? { step: Math.max(9, rowHeight - 6) } : { step: rowHeight + 6 };
  return whole(plot, points, layer, { width: panelWidth, height });
}

/** One tick a decade where the axis is logarithmic. */
function axisOf({ logY }: PlotReport, points: readonly Point[]) {
  if (!logY) return { labelExpr: shortNumber, tickCount: 6 };
  const ends = points.flatMap(({ low, high }) => [low, high]).map(Math.log10);
  const first = Math.floor(Math.min(...ends));
  const decades = Math.ceil(Math.max(...ends)) - first;
  return { labelExpr: shortNumber, values: Array.from({ length: decades + 1 }, (_, index) => 10 ** (first + index)) };
}

/** `2000` as `2k`, so that the ticks of a panel do not run into each other. */
const shortNumber =
  "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, '.3~g') + ' M' : abs(datum.value) >= 1e3 ? format(datum.value / 1e3, '.3~g') + ' k' : format(datum.value, '.3~g')";

const shortBytes =
  "datum.value >= 1048576 ? format(datum.value / 1048576, '.3~g') + ' MiB' : datum.value >= 1024 ? format(datum.value / 1024, '.3~g') + ' KiB' : format(datum.value, 'd') + ' B'";

/** Lines with intervals, each by its own dash and shape. */
function linesSpec(suite: SuiteReport, plot: PlotReport, points: Point[]): TopLevelSpec {
  const names = distinct(points.map(({ series }) => series));
  const scales = seriesScales(names);
  const title = plot.series?.replaceAll('_', ' ') ?? null;
  const ticks = distinct(points.map(({ x }) => Number(x))).toSorted((a, b) => a - b);
  const x = {
    ...{ field: 'x', type: 'quantitative', title: plot.xTitle ?? plot.x.replaceAll('_', ' ') },
    scale:
      plot.logX && ticks.every((tick) => tick > 0)
        ? { type: 'log', nice: false, padding: 12 }
        : { padding: 12, nice: false },
    axis: { values: ticks, labelExpr: plot.x.endsWith('_bytes') ? shortBytes : shortNumber, grid: false },
  };
  const y = {
    ...{ field: 'value', type: 'quantitative', title: axisTitle(suite, plot) },
    scale: plot.logY ? { type: 'log' } : { zero: true },
    axis: axisOf(plot, points),
  };
  const color = { field: 'series', type: 'nominal', scale: scales.color, sort: names, title };
  const layer = [
    {
      mark: { type: 'line', strokeWidth: 1.8 },
      encoding: {
        x,
        y,
        color,
        strokeDash: { field: 'series', type: 'nominal', scale: scales.dash, sort: names, title },
      },
    },
    {
      mark: { type: 'rule', strokeWidth: 1.2 },
      encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
    },
    {
      mark: { type: 'point', filled: true, size: 60, opacity: 1 },
      encoding: { x, y, color, shape: { field: 'series', type: 'nominal', scale: scales.shape, sort: names, title } },
    },
  ];
  return whole(plot, points, layer, { width: panelWidth, height: 260 });
}

/** Parts of a whole, from the first one on; each is hatched in its own way and the larger ones carry their figure. */
function stackSpec(suite: SuiteReport, plot: PlotReport, points: Point[]): TopLevelSpec {
  const names = distinct(plot.metrics.map((metric) => suite.metrics[metric]?.title ?? metric));
  const present = names.filter((name) => points.some(({ series }) => series === name));
  const rows = distinct(points.map(({ x }) => x));
  const totals = Math.max(
    ...rows.map((row) => points.filter(({ x }) => x === row).reduce((sum, { value }) => sum + Math.abs(value), 0)),
  );
  const placed = stacked(points, present, totals);
  const unit = suite.metrics[plot.metrics[0] ?? '']?.unit ?? '';
  const x = {
    field: 'from',
    type: 'quantitative',
    title: unit,
    axis: { labelExpr: shortNumber, tickCount: 6 },
  };
  const y = { field: 'x', type: 'nominal', sort: rows, title: null };
  const layer = [
    {
      mark: { type: 'bar', stroke: ink.paper, strokeWidth: 1, height: { band: 0.7 } },
      encoding: {
        ...{ x, x2: { field: 'to' }, y },
        color: {
          ...{ field: 'series', type: 'nominal', sort: present, title: null },
          scale: { domain: present, range: present.map((name) => inkOf(names.indexOf(name))) },
          legend: {
            orient: 'bottom',
            columns: 2,
            labelLimit: 420,
            symbolType: 'square',
            symbolSize: 220,
            symbolStrokeWidth: 0,
          },
        },
      },
    },
    {
      transform: [{ filter: 'datum.isWide' }],
      mark: { type: 'text', fontSize: 10, fill: ink.text, stroke: ink.paper, strokeWidth: 3 },
      encoding: { x: { ...x, field: 'middle' }, y, text: { field: 'text' } },
    },
    {
      transform: [{ filter: 'datum.isWide' }],
      mark: { type: 'text', fontSize: 10, fill: ink.text },
      encoding: { x: { ...x, field: 'middle' }, y, text: { field: 'text' } },
    },
  ];
  return whole(plot, placed, layer, { width: panelWidth, height: { step: 44 } });
}
