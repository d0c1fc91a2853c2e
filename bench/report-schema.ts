/**
 * The JSON report, as `bench/reports/<date>-<machine>/report.json` holds it. Written by the runner, read by the page, by
 * `compare` and by whoever wants to look closer. Lengths of time are seconds in names that end in `_s`, as elsewhere in what
 * taskmesh shows.
 */

import * as z from 'zod';

export type Json = z.infer<ReturnType<typeof z.json>>;

/** The version of this format; a reader refuses others. */
export const reportVersion = 1;

const figure = z.number();
const label = z.union([z.string(), z.number()]);
const labels = z.record(z.string(), label);
const figureName = z.enum(['p50', 'p90', 'p99', 'p999', 'mean', 'max', 'value']);
const estimate = z.object({ value: figure, low: figure, high: figure });
const verdict = z.enum(['less', 'more', 'same']);

/** Few samples as they are, many as buckets of 0.5 % width: `[bucket, count]`, a bucket's value being 2^(bucket/139). */
export const encodedSamples = z.union([
  z.object({ raw: z.array(figure), buckets: z.undefined().optional() }),
  z.object({
    raw: z.undefined().optional(),
    count: z.int(),
    sum: figure,
    min: figure,
    max: figure,
    buckets: z.array(z.tuple([z.int(), z.int()])),
  }),
]);

/** What one round gave for one metric: one number, or the quantiles of its samples. */
export const roundFigures = z.union([
  z.object({ process: z.int(), round: z.int(), value: figure }),
  z.object({
    process: z.int(),
    round: z.int(),
    count: z.int(),
    mean: figure,
    min: figure,
    max: figure,
    p50: figure,
    p90: figure,
    p99: figure,
    p999: figure,
  }),
]);

const cell = z.object({
  id: z.string(),
  labels,
  block: z.string(),
  /** The A/A cell is measured like the others and shown only as noise. */
  again_of: z.string().optional(),
  status: z.enum(['measured', 'failed', 'not_run']),
  failure: z.string().optional(),
  round_ms: figure,
  warm_up_ms: figure,
  metrics: z.record(
    z.string(),
    z.object({
      rounds: z.array(roundFigures),
      /** Median of rounds with its 95 % interval, per figure. */
      estimates: z.partialRecord(figureName, estimate),
      /** All rounds' samples together; left out for metrics of one number per round. */
      samples: encodedSamples.optional(),
    }),
  ),
  /** What the subject said beside its figures: sizes, reached rates, versions. */
  notes: z.record(z.string(), z.json()).optional(),
});

const ratio = estimate.extend({ verdict });

const comparison = z.object({
  title: z.string(),
  metric: z.string(),
  figure: figureName,
  target: z.union([z.object({ atMost: figure }), z.object({ atLeast: figure })]).optional(),
  pairs: z.array(
    z.object({
      label: z.string(),
      of: z.string(),
      to: z.string(),
      ratio: ratio.nullable(),
      outcome: z.enum(['met', 'missed', 'not_shown']).optional(),
    }),
  ),
});

const plot = z.object({
  kind: z.enum(['bars', 'lines', 'stack']),
  title: z.string(),
  question: z.string(),
  where: z.record(z.string(), z.union([label, z.array(label)])),
  metrics: z.array(z.string()),
  figure: figureName,
  x: z.string(),
  xTitle: z.string().optional(),
  series: z.string().optional(),
  panel: z.string().optional(),
  floor: z.object({ title: z.string(), where: z.record(z.string(), z.union([label, z.array(label)])) }).optional(),
  logX: z.boolean().optional(),
  logY: z.boolean().optional(),
});

const suite = z.object({
  name: z.string(),
  title: z.string(),
  question: z.string(),
  /** Why the suite gave nothing: its plan failed. */
  failure: z.string().optional(),
  /** Fresh processes per subject, in the block that has most of them. */
  processes: z.int(),
  rounds: z.int(),
  budget_s: figure,
  duration_s: figure,
  metrics: z.record(z.string(), z.object({ title: z.string(), unit: z.string(), better: z.enum(['less', 'more']) })),
  cells: z.array(cell),
  left_out: z.array(z.object({ what: z.string(), why: z.string() })),
  /** The A/A pair's ratios, per metric and figure. */
  noise: z.array(z.object({ cell: z.string(), metric: z.string(), figure: figureName, ratio: ratio.nullable() })),
  comparisons: z.array(comparison),
  plots: z.array(plot),
  findings: z.array(z.object({ kind: z.enum(['finding', 'unexplained']), text: z.string() })),
});

export const report = z.object({
  version: z.literal(reportVersion),
  started_at: z.string(),
  duration_s: figure,
  mode: z.enum(['full', 'quick', 'smoke']),
  /** False when the run was interrupted: what was measured until then stands. */
  complete: z.boolean(),
  seed: z.int(),
  commit: z.string(),
  /** Whether files differed from the commit. */
  modified: z.boolean(),
  machine: z.object({
    name: z.string(),
    model: z.string(),
    cores: z.int(),
    memory_mb: z.int(),
    kernel: z.string(),
    /** How processes were pinned to processors, in words. */
    pinning: z.string(),
    /** Load average of the last minute as the run began: above zero, something else was running. */
    load_before: figure,
  }),
  versions: z.record(z.string(), z.string()),
  suites: z.array(suite),
});

export type EncodedSamples = z.infer<typeof encodedSamples>;
export type RoundFigures = z.infer<typeof roundFigures>;
export type CellReport = z.infer<typeof cell>;
export type SuiteReport = z.infer<typeof suite>;
export type ComparisonReport = z.infer<typeof comparison>;
export type PlotReport = z.infer<typeof plot>;
export type Report = z.infer<typeof report>;
