/**
 * What a suite is: the contract between those who write suites (`bench/suites`) and the runner (`bench/run.ts`).
 *
 * A suite plans its cells for this machine. A cell is one thing measured under one condition; it names a subject, the child
 * process that measures it. Cells of one block have their subjects alive at the same time and take turns, round by round, so
 * that what the machine does to one it does to all. Every process pass starts the subjects anew.
 */

import type { RandomSource } from './random.ts';
import type { Json } from './report-schema.ts';

export type RuntimeName = 'node' | 'deno';

/** `full` is `npm run bench`, `quick` two minutes of it, `smoke` shows only that everything works: no figure of it counts. */
export type Mode = 'full' | 'quick' | 'smoke';

/** Says what was measured. Suites share these names: runtime, layout, in_flight, payload_bytes, load, megabytes_per_second. */
export type Labels = Readonly<Record<string, string | number>>;

export interface Subject {
  readonly runtime: RuntimeName;
  /** The file that the runtime runs; it calls `serveCells` of `bench/serve-cells.ts`. */
  readonly file: URL;
  /** Handed to the file as it starts: which layout to open, and the like. Subjects that are equal share a process. */
  readonly params?: Json;
}

export interface Cell {
  readonly labels: Labels;
  readonly subject: Subject;
  /** Told to the subject before each round: what is different from its other cells. */
  readonly task?: Json;
  /** Time of one round's measuring, in milliseconds. The subject holds to it, within one call. */
  readonly roundMs: number;
  /** Time of the warm-up before the first round of a process, in milliseconds. Default: `roundMs`. */
  readonly warmUpMs?: number;
  /** Cells of one block are interleaved. Default: one block for the whole suite. */
  readonly block?: string;
}

export interface Metric {
  readonly title: string;
  /** `µs`, `ms`, `calls/s`, `MB/s`, `MB`, `%` … */
  readonly unit: string;
  readonly better: 'less' | 'more';
}

/** Which figure of a metric: a quantile of its samples, or the figure itself where each round gives one number. */
export type Figure = 'p50' | 'p90' | 'p99' | 'p999' | 'mean' | 'max' | 'value';

/** Two cells side by side: `of ÷ to`, per round, with its interval. */
export interface Comparison {
  readonly title: string;
  readonly metric: string;
  readonly figure: Figure;
  readonly pairs: readonly { readonly label: string; readonly of: Labels; readonly to: Labels }[];
  /** What the project wants the ratio to be; printed as met, missed or not shown. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
}

/** A picture that answers one question. Cells are chosen by `where`: each label equals, or is one of. */
export interface Plot {
  readonly kind: 'bars' | 'lines' | 'stack';
  readonly title: string;
  /** The question in the reader's words; stands above the picture. */
  readonly question: string;
  readonly where: Readonly<Record<string, string | number | readonly (string | number)[]>>;
  /** For `stack`: the parts, from the bottom up; each is a metric of the suite. */
  readonly metrics: readonly string[];
  readonly figure: Figure;
  /** The label along the x axis (for bars and stacks: one bar each). */
  readonly x: string;
  readonly xTitle?: string;
  /** The label that makes a line or a colour of its own. */
  readonly series?: string;
  /** The label that makes a panel of its own, most often `runtime`. */
  readonly panel?: string;
  /** A horizontal line: the cells chosen by this instead of `where`, per panel. */
  readonly floor?: { readonly title: string; readonly where: Plot['where'] };
  readonly logX?: boolean;
  readonly logY?: boolean;
}

/** What the suite makes of its own figures. `unexplained` ends up in the page's last section. */
export interface Finding {
  readonly kind: 'finding' | 'unexplained';
  readonly text: string;
}

/** The measured figures, for `findings`: undefined when the cell was not measured. */
export interface Figures {
  /** Median of rounds, with its interval. `labels` must name exactly one cell. */
  get(labels: Labels, metric: string, figure: Figure): Estimate | undefined;
  /** `of ÷ to`, per round. */
  ratio(of: Labels, to: Labels, metric: string, figure: Figure): RatioEstimate | undefined;
}

export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface RatioEstimate extends Estimate {
  /** `same` is printed as "no difference seen". */
  readonly verdict: 'less' | 'more' | 'same';
}

export interface SuitePlan {
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly cells: readonly Cell[];
  /** Fresh processes per subject, and rounds in each. The runner has defaults for each mode. */
  readonly processes?: number;
  readonly rounds?: number;
  /** Fresh processes per subject in the blocks that need more or fewer of them, by the block's name. */
  readonly processesOf?: Readonly<Record<string, number>>;
  /** What cannot be measured on this machine, by name, and why. */
  readonly leftOut?: readonly { readonly what: string; readonly why: string }[];
  /** The cell that is measured once more in a second process beside itself: the ratio of a thing to itself is the noise. */
  readonly noiseOf?: Labels;
  readonly comparisons?: readonly Comparison[];
  readonly plots?: readonly Plot[];
  findings?(figures: Figures): Finding[];
}

export interface PlanContext {
  readonly mode: Mode;
  readonly runtimes: readonly RuntimeName[];
  /** A folder for this run, removed at its end. */
  readonly folder: string;
  readonly random: RandomSource;
  readonly signal: AbortSignal;
  /** How long the suite may take in this mode, in milliseconds, with starting and warming up. */
  readonly budgetMs: number;
}

export interface Suite {
  /** For `--suites`, and in the report. */
  readonly name: string;
  readonly title: string;
  /** What the reader knows afterwards. */
  readonly question: string;
  /** How long the whole suite may take, in milliseconds. The runner ends it at one and a half times of that. */
  readonly budgetMs: Readonly<Record<Mode, number>>;
  /** May prepare what all subjects share (a database); `close` is called at the end, whatever happened. */
  plan(context: PlanContext): Promise<SuitePlan>;
  close?(): Promise<void>;
}

/** Names a cell: its labels in their order. */
export function cellId(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
