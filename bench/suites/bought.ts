/** What the hop buys: how the rest of the server fares while the P2P side is busy, and the P2P side while HTTP is. */

import type { Layout } from '../../src/mesh/node-options.ts';
import type { BoughtParams, BoughtTask } from '../subjects/bought.ts';
import type { Cell, Figures, Finding, Labels, Mode, Plot, RuntimeName, Suite } from '../suite.ts';
import { crossoverOf, crossoverText } from './bought-crossover.ts';

const file = new URL('../subjects/bought.ts', import.meta.url);

type Load = BoughtTask['load'];

/** Amounts a second of each load, by mode. */
const amounts: Readonly<Record<Load, Readonly<Record<Mode, readonly number[]>>>> = {
  bulk: { full: [0, 10, 25, 50, 100], quick: [0, 50], smoke: [25] },
  connections: { full: [20, 60], quick: [], smoke: [20] },
  streams: { full: [100, 400], quick: [], smoke: [100] },
  queue: { full: [100, 400], quick: [], smoke: [100] },
  http: { full: [0, 500], quick: [], smoke: [250] },
};
const loads = Object.keys(amounts) as Load[];

const units: Readonly<Record<Load, string>> = {
  bulk: 'MB/s of bulk',
  connections: 'new connections a second',
  streams: 'new streams a second',
  queue: 'tasks a second',
  http: 'HTTP requests a second',
};

/** What is measured under each load. */
const measuredOf = (load: Load): readonly string[] => (load === 'http' ? ['remote'] : ['off', 'on']);

const titles: Readonly<Record<string, string>> = {
  off: 'requests that do not touch P2P',
  on: 'requests that do',
  remote: 'calls of a peer',
};

function layoutsFor(mode: Mode, load: Load, runtime: RuntimeName): readonly Layout[] {
  if (mode === 'smoke') return [runtime === 'node' ? 'worker' : 'inline'];
  return mode === 'full' && load === 'bulk' ? ['inline', 'worker', 'process'] : ['inline', 'worker'];
}

/** The project's own targets: bulk costs neither those who share its loop nor those who reach it by a bridge more than this. */
const mostUnfair = 2;
const fairLoops = [
  { metric: 'off', of: 'inline', to: 'worker' },
  { metric: 'on', of: 'worker', to: 'inline' },
] as const;

const labelsOf = (runtime: RuntimeName, layout: Layout, load: Load, amount: number): Labels => ({
  runtime,
  layout,
  load,
  amount,
});

function findingsOf(figures: Figures, runtimes: readonly RuntimeName[], mode: Mode): Finding[] {
  if (mode === 'smoke') return [];
  return runtimes.flatMap((runtime) =>
    loads
      .filter((load) => amounts[load][mode].length > 0)
      .flatMap((load) =>
        measuredOf(load).map((metric): Finding => {
          const steps = amounts[load][mode].map((amount) => ({
            load: amount,
            ratio: figures.ratio(
              labelsOf(runtime, 'inline', load, amount),
              labelsOf(runtime, 'worker', load, amount),
              metric,
              'p99',
            ),
          }));
          const what = `p99 of ${titles[metric]} on ${runtime}, shared loop (inline) beside bridge (worker)`;
          return { kind: 'finding', text: crossoverText(what, crossoverOf(steps), units[load]) };
        }),
      ),
  );
}

const plotOf = (load: Load, metric: string): Plot => ({
  kind: 'lines',
  title: `p99 of ${titles[metric]} under ${units[load]}`,
  question:
    load === 'http'
      ? 'What does a busy HTTP side do to the calls of peers?'
      : `From how many ${units[load]} on do ${titles[metric]} fare better behind a bridge?`,
  where: { load },
  metrics: [metric],
  figure: 'p99',
  x: 'amount',
  xTitle: units[load],
  series: 'layout',
  panel: 'runtime',
  logY: true,
});

export const bought: Suite = {
  name: 'bought',
  title: 'What the hop buys',
  question:
    'While peers send bulk, tasks, new connections and new streams: how long do HTTP requests take that do not touch P2P, and those that do, in each layout? And what does a busy HTTP side do to peers?',
  budgetMs: { full: 360_000, quick: 22_000, smoke: 25_000 },
  async plan({ runtimes, mode, folder }) {
    const cells = runtimes.flatMap((runtime) =>
      loads.flatMap((load) =>
        layoutsFor(mode, load, runtime).flatMap((layout) =>
          amounts[load][mode].map((amount): Cell => {
            const params: BoughtParams = { runtime, layout, folder };
            const task: BoughtTask = { load, amount };
            return {
              labels: labelsOf(runtime, layout, load, amount),
              // The driver runs on Node, whatever the service runs on.
              subject: { runtime: 'node', file, params: { ...params } },
              task: { ...task },
              roundMs: { full: load === 'bulk' ? 900 : 650, quick: 650, smoke: 200 }[mode],
              warmUpMs: { full: 500, quick: 200, smoke: 0 }[mode],
              block: runtime,
            };
          }),
        ),
      ),
    );
    const first = runtimes[0] ?? 'node';
    const withPlots = loads.filter((load) => amounts[load][mode].length > 1);
    return {
      metrics: {
        off: { title: 'Requests off P2P', unit: 'ms', better: 'less' },
        on: { title: 'Requests on P2P', unit: 'ms', better: 'less' },
        remote: { title: 'Calls of a peer', unit: 'ms', better: 'less' },
        loop_delay: { title: 'Delay of the server’s loop, mean', unit: 'ms', better: 'less' },
        late: { title: 'Lateness of the driver itself', unit: 'ms', better: 'less' },
        reached: { title: 'Load that was reached, of the amount', unit: 'a second', better: 'more' },
      },
      cells,
      processes: 1,
      // As many samples as a p99 needs.
      rounds: { full: 5, quick: 3, smoke: 1 }[mode],
      ...(mode === 'full' ? { noiseOf: labelsOf(first, 'inline', 'bulk', 0) } : {}),
      comparisons: [
        ...(['off', 'on'] as const).map((metric) => ({
          title: `p99 of ${titles[metric]}: shared loop beside bridge, under bulk`,
          metric,
          figure: 'p99' as const,
          pairs: runtimes.flatMap((runtime) =>
            amounts.bulk[mode].map((amount) => ({
              label: `${runtime}, ${amount} MB/s: inline ÷ worker`,
              of: labelsOf(runtime, 'inline', 'bulk', amount),
              to: labelsOf(runtime, 'worker', 'bulk', amount),
            })),
          ),
        })),
        ...fairLoops.map(({ metric, of, to }) => ({
          title: `A fair loop: p99 of ${titles[metric]}, under the most bulk`,
          metric,
          figure: 'p99' as const,
          target: { atMost: mostUnfair },
          pairs: runtimes.map((runtime) => {
            const most = Math.max(...amounts.bulk[mode]);
            return {
              label: `${runtime}, ${most} MB/s: ${of} ÷ ${to}`,
              of: labelsOf(runtime, of, 'bulk', most),
              to: labelsOf(runtime, to, 'bulk', most),
            };
          }),
        })),
      ],
      plots: withPlots.flatMap((load) => measuredOf(load).map((metric) => plotOf(load, metric))),
      findings: (figures) => findingsOf(figures, runtimes, mode),
    };
  },
};
