/**
 * Runs one suite: block by block, in each block some process passes, in each pass the rounds of all cells in turn, forwards and
 * backwards alternately. What fails is written down and ends nothing else.
 */

import { availableParallelism } from 'node:os';
import { clearTimeout, setTimeout } from 'node:timers';
import { shuffled } from '../random.ts';
import type { Json } from '../report-schema.ts';
import { Samples } from '../samples.ts';
import { type Cell, cellId, type Mode, type PlanContext, type Subject, type Suite, type SuitePlan } from '../suite.ts';
import { type RoundMessage, SubjectProcess } from './subject-process.ts';

/** Fresh processes per subject, and rounds in each, where the plan does not say. */
const defaults = {
  full: { processes: 3, rounds: 5 },
  quick: { processes: 1, rounds: 4 },
  smoke: { processes: 1, rounds: 1 },
} as const;
/** How many times its budget a suite may take before it is cut short. A smoke run's figures mean nothing, its being whole does. */
const patience = { full: 1.5, quick: 1.5, smoke: 10 } as const;
/** Beyond the round's own time, in milliseconds. */
const roundGraceMs = 60_000;

/** The figures of one round of one cell. */
export interface MeasuredRound {
  readonly process: number;
  readonly round: number;
  readonly figures: Readonly<Record<string, number | Samples>>;
}

export interface PlannedCell extends Cell {
  readonly id: string;
  readonly againOf?: string;
}

export interface MeasuredCell {
  readonly cell: PlannedCell;
  readonly rounds: MeasuredRound[];
  failure?: string;
  notes?: Readonly<Record<string, Json>>;
}

export interface MeasuredSuite {
  readonly suite: Suite;
  readonly plan: SuitePlan;
  readonly processes: number;
  readonly rounds: number;
  readonly cells: readonly MeasuredCell[];
  readonly budgetMs: number;
  readonly durationMs: number;
  /** Why there is no plan. */
  readonly failure?: string;
}

export interface RunSuiteOptions extends PlanContext {
  /** Called after each round of each cell; `done` is a share of the suite. */
  onProgress(what: string, done: number): void;
}

const empty: SuitePlan = { metrics: {}, cells: [] };
const blockOf = (cell: Cell): string => cell.block ?? 'all';
const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

export async function runSuite(suite: Suite, options: RunSuiteOptions): Promise<MeasuredSuite> {
  const from = performance.now();
  const { mode, signal, random } = options;
  let plan = empty;
  let failure: string | undefined;
  try {
    plan = await suite.plan(options);
  } catch (thrown) {
    failure = messageOf(thrown);
  }
  const { processesIn, rounds } = countsFor(plan, mode);
  const cells = withNoise(plan).map((cell): MeasuredCell => ({ cell, rounds: [] }));
  const blocks = Map.groupBy(cells, ({ cell }) => blockOf(cell));
  const processes = Math.max(0, ...cells.map(({ cell }) => processesIn(cell)));
  const steps = cells.reduce((sum, { cell }) => sum + processesIn(cell) * (rounds + 1), 0);
  let done = 0;
  try {
    for (let process = 0; process < processes; process++) {
      for (const block of blocks.values()) {
        if (block[0] === undefined || process >= processesIn(block[0].cell)) continue;
        // Its share of the suite's time and what earlier passes left over: a slow one must not take the time of those after it.
        const share = (done + block.length * (rounds + 1)) / steps;
        using ends = new PassEnd(signal, from + share * patience[mode] * suite.budgetMs[mode]);
        await runPass(shuffled(block, random), { process, rounds, ends }, (what) => {
          options.onProgress(what, ++done / steps);
        });
      }
    }
  } finally {
    await suite.close?.().catch(() => {});
  }
  const durationMs = performance.now() - from;
  const result = { suite, plan, processes, rounds, cells, budgetMs: suite.budgetMs[mode], durationMs };
  return failure === undefined ? result : { ...result, failure };
}

interface Counts {
  /** Fresh processes for the cell's subject. */
  processesIn(cell: Cell): number;
  readonly rounds: number;
}

/** Processes and rounds: what the plan says, or what the mode is. */
export const countsFor = ({ processes, processesOf, rounds }: SuitePlan, mode: Mode): Counts => ({
  processesIn: (cell) => processesOf?.[blockOf(cell)] ?? processes ?? defaults[mode].processes,
  rounds: rounds ?? defaults[mode].rounds,
});

/** The plan's cells, and the one that is measured twice. */
export function withNoise({ cells, noiseOf }: SuitePlan): PlannedCell[] {
  const planned = cells.map((cell): PlannedCell => ({ ...cell, id: cellId(cell.labels) }));
  const ids = new Set(planned.map(({ id }) => id));
  if (ids.size < planned.length) throw new Error('Two cells of a suite have the same labels.');
  if (noiseOf === undefined) return planned;
  const again = planned.find(({ id }) => id === cellId(noiseOf));
  if (again === undefined) return planned;
  return [...planned, { ...again, id: `${again.id} (again)`, againOf: again.id }];
}

/** Whether to go on: not after Ctrl-C, and not when far more time than there was has been used up. */
class PassEnd implements Disposable {
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  readonly #interrupt: AbortSignal;
  readonly #timer: NodeJS.Timeout;

  constructor(interrupt: AbortSignal, latest: number) {
    const overdue = new AbortController();
    this.#interrupt = interrupt;
    this.#timer = setTimeout(() => overdue.abort(), Math.max(0, latest - performance.now()));
    this.signal = AbortSignal.any([interrupt, overdue.signal]);
  }

  get reason(): string | undefined {
    if (this.#interrupt.aborted) return 'The run was interrupted.';
    return this.signal.aborted ? 'The time of the suite was used up.' : undefined;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

interface Pass {
  readonly process: number;
  readonly rounds: number;
  readonly ends: PassEnd;
}

const keyOf = ({ runtime, file, params }: Subject, again: boolean): string =>
  JSON.stringify([runtime, file.href, params ?? null, again]);

async function runPass(block: readonly MeasuredCell[], pass: Pass, onStep: (what: string) => void): Promise<void> {
  const subjects = new Map<string, SubjectProcess>();
  const broken = new Set<MeasuredCell>();
  const fail = (measured: MeasuredCell, thrown: unknown): void => {
    broken.add(measured);
    measured.failure = pass.ends.reason ?? messageOf(thrown);
  };
  try {
    await openAll();
    for (let round = -1; round < pass.rounds; round++) {
      for (const measured of round % 2 === 0 ? block : block.toReversed()) {
        if (pass.ends.reason !== undefined) broken.has(measured) || fail(measured, undefined);
        if (!broken.has(measured)) await step(measured, round);
        onStep(measured.cell.id);
      }
    }
  } finally {
    await Promise.all([...subjects.values()].map((subject) => subject.stop()));
  }

  /** Some at a time: nothing is measured meanwhile. */
  async function openAll(): Promise<void> {
    const waiting = new Map(block.map(({ cell }) => [keyOf(cell.subject, cell.againOf !== undefined), cell.subject]));
    const opener = async (): Promise<void> => {
      for (const [key, subject] of waiting) {
        waiting.delete(key);
        if (pass.ends.reason === undefined) await open(key, subject);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, opener));
  }

  async function open(key: string, subject: Subject): Promise<void> {
    try {
      subjects.set(key, await SubjectProcess.start(subject, pass.ends.signal));
    } catch (thrown) {
      for (const other of block) {
        if (keyOf(other.cell.subject, other.cell.againOf !== undefined) === key) fail(other, thrown);
      }
    }
  }

  async function step(measured: MeasuredCell, round: number): Promise<void> {
    const { cell } = measured;
    const subject = subjects.get(keyOf(cell.subject, cell.againOf !== undefined));
    if (subject === undefined) return;
    const warmUp = round < 0;
    const ms = warmUp ? (cell.warmUpMs ?? cell.roundMs) : cell.roundMs;
    try {
      if (warmUp && ms === 0) return;
      const message = await subject.round({ task: cell.task ?? null, ms, warmUp }, ms + roundGraceMs);
      if (!warmUp) keep(measured, message, { process: pass.process, round });
    } catch (thrown) {
      fail(measured, thrown);
    }
  }
}

function keep(measured: MeasuredCell, { figures, notes }: RoundMessage, at: { process: number; round: number }): void {
  const decoded = Object.entries(figures).map(([name, figure]): [string, number | Samples] => [
    name,
    typeof figure === 'number' ? figure : Samples.decode(figure),
  ]);
  measured.rounds.push({ ...at, figures: Object.fromEntries(decoded) });
  if (notes !== undefined) measured.notes = notes;
}
