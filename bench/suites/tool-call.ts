/** What a client of the service waits for when it calls a tool, and where that time goes. */

import type { Layout } from '../../src/mesh/node-options.ts';
import type { ToolCallParams, ToolCallTask } from '../subjects/tool-call.ts';
import type { Cell, Figures, Finding, Labels, Metric, Mode, RuntimeName, Suite } from '../suite.ts';
import { type MemoryFolder, makeMemoryFolder } from './memory-folder.ts';

const file = new URL('../subjects/tool-call.ts', import.meta.url);

const cases = {
  submit: { task: { kind: 'ladder', operation: 'submit_local' }, share: 3 },
  'submit to a peer': { task: { kind: 'ladder', operation: 'submit_remote' }, share: 4 },
  get: { task: { kind: 'get' }, share: 1 },
  'submit to result': { task: { kind: 'trip' }, share: 1 },
} as const satisfies Record<string, { task: ToolCallTask; share: number }>;

type What = keyof typeof cases;
const whats = Object.keys(cases) as What[];
const withBreakdown: readonly What[] = ['submit', 'submit to a peer'];

const part = (title: string): Metric => ({ title, unit: 'µs', better: 'less' });

/** From the bottom of the stack up. */
const parts = {
  part_http: part('HTTP: server, loopback and client'),
  part_hono: part('Hono, guards, reading the body'),
  part_mcp: part('MCP'),
  part_validation: part('Validation'),
  part_hop: part('The hop'),
  part_wire: part('The wire to the peer, without Noise'),
  part_noise: part('Noise'),
  part_queue: part('The node and its queue'),
  part_fsync: part('Syncing to disk'),
  not_explained: part('Not explained'),
} as const;

const tripParts = {
  trip_submit: part('Submit is answered'),
  trip_claim: part('Then the worker on the other node has it (negative: before)'),
  trip_result: part('Then the client has the result'),
} as const;

const inFlight = 32;
const labelsOf = (runtime: RuntimeName, layout: Layout, what: What, many = false): Labels => ({
  runtime,
  layout,
  what,
  in_flight: many ? inFlight : 1,
});

/** In a smoke run, what the entrypoints start by default. */
const layoutsFor = (mode: Mode, runtime: RuntimeName): readonly Layout[] => {
  if (mode === 'full') return ['inline', 'worker', 'process'];
  return mode === 'quick' ? ['inline', 'worker'] : [runtime === 'node' ? 'worker' : 'inline'];
};

const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** One sentence on what removing the hop is worth to each operation; undefined when nothing of it was measured. */
function worthOfNoHop(figures: Figures, runtime: RuntimeName, figure: 'p50' | 'p90'): Finding | undefined {
  const each = whats.flatMap((what) => {
    const [inline, worker] = [labelsOf(runtime, 'inline', what), labelsOf(runtime, 'worker', what)];
    const ratio = figures.ratio(inline, worker, 'latency', figure);
    if (ratio === undefined) return [];
    const interval = `${ratio.value.toFixed(2)}, ${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`;
    const change = `${percent(Math.abs(1 - ratio.value))} ${ratio.value < 1 ? 'less' : 'more'}`;
    return [`${what}: ${ratio.verdict === 'same' ? 'no difference seen' : change} (${interval})`];
  });
  if (each.length === 0) return undefined;
  return {
    kind: 'finding',
    text: `The ${figure} of a call on ${runtime} without the hop (inline ÷ worker): ${each.join('; ')}.`,
  };
}

/** What it is worth to do without the hop, and whether the parts make up the whole. */
function findingsOf(figures: Figures, runtimes: readonly RuntimeName[], mode: Mode): Finding[] {
  if (mode === 'smoke') return [];
  return runtimes.flatMap((runtime) => {
    const worth = (['p50', 'p90'] as const).map((figure) => worthOfNoHop(figures, runtime, figure));
    const unexplained = layoutsFor(mode, runtime).flatMap((layout) =>
      withBreakdown.flatMap((what): Finding[] => {
        const explained = figures.get(labelsOf(runtime, layout, what), 'explained', 'value');
        if (explained === undefined || Math.abs(100 - explained.value) <= 10) return [];
        const shown = explained.low > 110 || explained.high < 90 ? '' : ' Noise alone may have made that difference.';
        const text = `${what} on ${runtime}, ${layout}: the parts make up ${explained.value.toFixed(0)} % of the whole (${explained.low.toFixed(0)}–${explained.high.toFixed(0)}); 90 to 110 % was wanted.${shown}`;
        return [{ kind: 'unexplained', text }];
      }),
    );
    return [...worth.filter((finding) => finding !== undefined), ...unexplained];
  });
}

let memory: MemoryFolder | undefined;

export const toolCall: Suite = {
  name: 'tool-call',
  title: 'The tool call',
  question:
    'How long does a client wait for a tool, called over HTTP, in each layout; and how much of it is HTTP, MCP, validation, the hop, the wire, Noise, the queue, the disk?',
  budgetMs: { full: 600_000, quick: 21_000, smoke: 60_000 },
  async plan({ runtimes, mode, folder }) {
    // Two nodes more for each layout, which a quick run has no time to start.
    memory = mode === 'quick' ? undefined : await makeMemoryFolder();
    const unitMs = { full: 200, quick: 40, smoke: 20 }[mode];
    const warmUpCalls = { full: 600, quick: 24, smoke: 8 }[mode];
    const cellOf = (runtime: RuntimeName, layout: Layout, labels: Labels, task: ToolCallTask, share: number): Cell => {
      const memoryFolder = memory?.path ?? null;
      const params: ToolCallParams = { runtime, layout, folder, memoryFolder, apart: mode === 'full', warmUpCalls };
      return {
        labels,
        // The driver runs on Node, whatever the service runs on.
        subject: { runtime: 'node', file, params: { ...params } },
        task: { ...task },
        roundMs: unitMs * share,
        // The subject warms up each rung by itself.
        ...(mode === 'full' ? { warmUpMs: (unitMs * share) / 4 } : {}),
        block: runtime,
      };
    };
    const cells = runtimes.flatMap((runtime) =>
      layoutsFor(mode, runtime).flatMap((layout): Cell[] => [
        ...whats.map((what) =>
          cellOf(runtime, layout, labelsOf(runtime, layout, what), cases[what].task, cases[what].share),
        ),
        ...(mode === 'full' ? (['submit', 'submit to a peer', 'get'] as const) : []).map((what) => {
          const { task } = cases[what];
          const operation = task.kind === 'ladder' ? task.operation : 'get';
          return cellOf(
            runtime,
            layout,
            labelsOf(runtime, layout, what, true),
            { kind: 'capacity', operation, inFlight },
            1,
          );
        }),
      ]),
    );
    const first = runtimes[0] ?? 'node';
    return {
      metrics: {
        latency: { title: 'Latency', unit: 'µs', better: 'less' },
        rate: { title: `Calls, ${inFlight} in flight`, unit: 'calls/s', better: 'more' },
        ...parts,
        ...tripParts,
        explained: { title: 'Sum of the parts beside the whole', unit: '%', better: 'more' },
      },
      cells,
      ...{ full: { processes: 3, rounds: 3 }, quick: { processes: 1, rounds: 3 }, smoke: { processes: 1, rounds: 1 } }[
        mode
      ],
      ...(mode === 'full' ? { noiseOf: labelsOf(first, 'inline', 'submit') } : {}),
      leftOut:
        memory === undefined
          ? [
              {
                what: 'syncing to disk as a part of its own',
                why: `${mode === 'quick' ? 'A quick run has no time for it' : 'This machine has no /dev/shm'}; it counts to the queue.`,
              },
            ]
          : [],
      comparisons: (['p50', 'p90'] as const).map((figure) => ({
        title: `A tool call without the hop beside one with it, ${figure}`,
        metric: 'latency',
        figure,
        pairs: runtimes.flatMap((runtime) =>
          whats.flatMap((what) =>
            layoutsFor(mode, runtime)
              .filter((layout) => layout !== 'inline')
              .map((layout) => ({
                label: `${what}, ${runtime}: inline ÷ ${layout}`,
                of: labelsOf(runtime, 'inline', what),
                to: labelsOf(runtime, layout, what),
              })),
          ),
        ),
      })),
      plots: [
        {
          kind: 'bars',
          title: 'A tool call by layout',
          question: 'How long does a client wait, one call at a time?',
          where: { in_flight: 1 },
          metrics: ['latency'],
          figure: 'p50',
          x: 'what',
          series: 'layout',
          panel: 'runtime',
          logY: true,
        },
        ...withBreakdown.map((what) => ({
          kind: 'stack' as const,
          title: `Where the time goes: ${what}`,
          question: 'Which part of the program takes how much of a call?',
          where: { what, in_flight: 1 },
          metrics: Object.keys(parts),
          figure: 'value' as const,
          x: 'layout',
          panel: 'runtime',
        })),
        {
          kind: 'stack',
          title: 'Where the time goes: submit to result',
          question: 'From the client’s submit to its result, by a worker on another node: who waits for whom?',
          where: { what: 'submit to result', in_flight: 1 },
          metrics: Object.keys(tripParts),
          figure: 'value',
          x: 'layout',
          panel: 'runtime',
        },
      ],
      findings: (figures) => findingsOf(figures, runtimes, mode),
    };
  },
  async close() {
    await memory?.[Symbol.asyncDispose]();
  },
};
