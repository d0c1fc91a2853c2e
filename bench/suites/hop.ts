/** What one hop costs: a call that does nothing, through every layout, beside the bare ways across and beside other libraries. */

import { compileFloor } from '../floors/compile.ts';
import { hasTaskset } from '../runner/pinning.ts';
import type { CFloorTask } from '../subjects/c-floor.ts';
import type { HopLayout, HopParams, HopTask } from '../subjects/hop.ts';
import type { Cell, Mode, PlanContext, RuntimeName, Suite, SuitePlan } from '../suite.ts';
import { hopLabels, onOneProcessor } from './hop-labels.ts';
import { hopComparisons, hopFindings, hopPlots } from './hop-questions.ts';

const KiB = 1024;
const httpPerSecond = 1_000;
/** More than this in flight at once would measure the memory. */
const maxBytesInFlight = 8 * KiB * KiB;

const bridges = ['inline', 'worker', 'process-unix', 'process-http'] as const;
const floors = ['bare MessagePort', 'bare Unix socket', 'bare HTTP'] as const;
const peers = ['piscina', 'tinypool', 'comlink', 'birpc'] as const;

const file = new URL('../subjects/hop.ts', import.meta.url);

const roundMs: Readonly<Record<Mode, number>> = { full: 65, quick: 40, smoke: 10 };

/** What is sustained takes longer to show: within a short round, batches have only begun to form. */
const sustainedMs: Readonly<Record<Mode, number>> = { ...roundMs, full: 250 };

/** How long each subject calls before anything is measured: a bridge over a socket gets quicker for more than a second, and two subjects warm up at once. */
const openMs: Readonly<Record<Mode, number>> = { full: 2_500, quick: 200, smoke: 20 };

/** How many in flight with how many bytes each. */
type Shape = readonly [inFlight: number, payloadBytes: number];

const everyShape: readonly Shape[] = [100, KiB, 10 * KiB, KiB * KiB].flatMap((bytes) =>
  [1, 8, 64, 512]
    .filter((inFlight) => inFlight * bytes <= maxBytesInFlight)
    .map((inFlight): Shape => [inFlight, bytes]),
);
const corners: readonly Shape[] = [
  [1, 100],
  [64, 100],
];
const edges = everyShape.filter(([inFlight, bytes]) => inFlight === 1 || bytes === 100);

interface Circumstances {
  httpPerSecond?: number;
  oneProcessor?: boolean;
}

function cell(
  runtime: RuntimeName,
  layout: HopLayout,
  shape: Shape,
  mode: Mode,
  { httpPerSecond = 0, oneProcessor = false }: Circumstances = {},
): Cell {
  const [inFlight, payloadBytes] = shape;
  const ms = (inFlight === 64 && isCorner(shape) && httpPerSecond === 0 ? sustainedMs : roundMs)[mode];
  // A node for each call has nothing that stays warm.
  const params: HopParams = { layout, warmUpMs: layout === 'per-call' ? 0 : openMs[mode], oneProcessor };
  const load = oneProcessor ? onOneProcessor : httpPerSecond > 0 ? `${httpPerSecond} HTTP requests/s` : 'idle';
  return {
    labels: hopLabels(runtime, layout, inFlight, payloadBytes, load),
    subject: { runtime, file, params: { ...params } },
    task: { inFlight, payloadBytes, httpPerSecond } satisfies HopTask,
    roundMs: ms,
    // What all shapes share is warm after the first of them.
    warmUpMs: payloadBytes === 100 ? roundMs[mode] : roundMs[mode] / 2,
    block: mode === 'full' && !isCorner(shape) ? shapesOf(runtime) : runtime,
  };
}

/** The block of what is only drawn, and compared with nothing. */
const shapesOf = (runtime: RuntimeName): string => `${runtime}, other shapes`;

const isCorner = (shape: Shape): boolean =>
  corners.some(([inFlight, bytes]) => inFlight === shape[0] && bytes === shape[1]);

function cellsOf(runtime: RuntimeName, mode: Mode): Cell[] {
  const isFull = mode === 'full';
  const of = (layouts: readonly HopLayout[], shapes: readonly Shape[]): Cell[] =>
    layouts.flatMap((layout) => shapes.map((shape) => cell(runtime, layout, shape, mode)));
  return [
    ...of(bridges, isFull ? everyShape : [...corners, [1, 10 * KiB]]),
    ...of(floors, isFull ? edges : corners),
    ...of(peers, corners),
    { ...cell(runtime, 'per-call', [1, 100], mode), roundMs: 2 * roundMs[mode], warmUpMs: 1 },
    ...bridges.flatMap((layout) =>
      (isFull ? corners : corners.slice(0, 1)).map((shape) => ({
        ...cell(runtime, layout, shape, mode, { httpPerSecond }),
        warmUpMs: 1,
      })),
    ),
    ...(isFull && hasTaskset
      ? [...bridges, ...floors].flatMap((layout) =>
          corners.map((shape) => cell(runtime, layout, shape, mode, { oneProcessor: true })),
        )
      : []),
  ];
}

function floorCells(executable: string, ms: number): Cell[] {
  return (['futex', 'pipe', 'socket'] satisfies CFloorTask[]).map((task) => ({
    labels: hopLabels('C', `C ${task}`),
    subject: { runtime: 'node', file: new URL('../subjects/c-floor.ts', import.meta.url), params: executable },
    task,
    roundMs: ms,
    block: 'C',
  }));
}

async function plan({ mode, runtimes, folder }: PlanContext): Promise<SuitePlan> {
  const executable = await compileFloor(folder);
  const [first = 'node'] = runtimes;
  return {
    // Two processes of one program differ by up to a factor of two here: what is compared needs many.
    ...(mode === 'full'
      ? { processes: 8, processesOf: Object.fromEntries(runtimes.map((each) => [shapesOf(each), 2])), rounds: 3 }
      : mode === 'quick'
        ? { processes: 1, rounds: 6 }
        : {}),
    metrics: {
      latency: { title: 'Latency', unit: 'µs', better: 'less' },
      rate: { title: 'Throughput', unit: 'calls/s', better: 'more' },
    },
    cells: [
      ...runtimes.flatMap((runtime) => cellsOf(runtime, mode)),
      ...(executable === undefined ? [] : floorCells(executable, roundMs[mode])),
    ],
    leftOut: [
      {
        what: 'per-call with more than one call in flight',
        why: 'two nodes cannot hold one data folder: calls queue.',
      },
      ...(mode === 'full'
        ? [
            {
              what: '1 MiB with 64 and with 512 in flight',
              why: 'more than 8 MiB in flight measures memory.',
            },
          ]
        : []),
      ...(hasTaskset ? [] : [{ what: 'both sides on one processor', why: 'taskset is not installed.' }]),
      ...(executable === undefined ? [{ what: 'C futex, pipe and socket', why: 'no C compiler (cc) was found.' }] : []),
    ],
    noiseOf: hopLabels(first, 'worker'),
    comparisons: hopComparisons(runtimes, mode),
    plots: hopPlots(mode),
    findings: (figures) => hopFindings(figures, runtimes),
  };
}

export const hop: Suite = {
  name: 'hop',
  title: 'The hop',
  question: 'What does a call cost that crosses to the P2P side and does nothing there?',
  budgetMs: { full: 1_010_000, quick: 33_000, smoke: 14_000 },
  plan,
};
