/** What a service costs before anybody asks it anything: until it is ready, in memory, and while it idles. */

import { platform } from 'node:os';
import type { StartUpParams, StartUpTask } from '../subjects/start-up.ts';
import type { Cell, Labels, Mode, RuntimeName, Suite } from '../suite.ts';

const file = new URL('../subjects/start-up.ts', import.meta.url);
const layouts = ['none', 'inline', 'worker', 'process'] as const;

const labelsOf = (runtime: RuntimeName, layout: StartUpTask['layout']): Labels => ({ runtime, layout });

/** How long a service is watched while it idles, in milliseconds; starting it comes on top. */
const idleMs: Readonly<Record<Mode, number>> = { full: 2_000, quick: 400, smoke: 100 };

const plots = {
  ready: 'How long after its start does a service answer?',
  memory: 'How much memory does a service take that nobody has asked anything yet?',
  idle_cpu: 'How much of a processor does a service take that nobody asks?',
};

export const startUp: Suite = {
  name: 'start-up',
  title: 'Start-up, memory, idling',
  question: 'How soon is a service ready, how much memory does it take, and what does it do while nobody asks?',
  budgetMs: { full: 110_000, quick: 13_000, smoke: 20_000 },
  async plan({ runtimes, mode, folder }) {
    if (platform() === 'win32') {
      const why = 'Windows has neither /proc nor ps to read the figures of another process from.';
      return { metrics: {}, cells: [], leftOut: [{ what: 'the whole suite', why }] };
    }
    const params: StartUpParams = { folder };
    const cells = runtimes.flatMap((runtime) =>
      layouts.map((layout): Cell => {
        const task: StartUpTask = { runtime, layout };
        return {
          labels: labelsOf(runtime, layout),
          // What starts services and reads their figures runs on Node, whatever they run on.
          subject: { runtime: 'node', file, params: { ...params } },
          task: { ...task },
          roundMs: idleMs[mode],
          warmUpMs: 0,
        };
      }),
    );
    const metrics = {
      ready: { title: 'Ready after', unit: 'ms', better: 'less' },
      memory: { title: 'Memory', unit: 'MB', better: 'less' },
      idle_cpu: { title: 'Idle processor time', unit: '% of a core', better: 'less' },
      stop: { title: 'Ended after', unit: 'ms', better: 'less' },
    } as const;
    return {
      metrics,
      cells,
      processes: 1,
      ...(mode === 'full' ? { noiseOf: labelsOf(runtimes[0] ?? 'node', 'inline') } : {}),
      rounds: { full: 3, quick: 1, smoke: 1 }[mode],
      plots: Object.entries(plots).map(([metric, question]) => ({
        kind: 'bars',
        title: metrics[metric as keyof typeof plots].title,
        question,
        where: { layout: layouts.filter((layout) => layout !== 'none') },
        metrics: [metric],
        figure: 'value',
        x: 'layout',
        panel: 'runtime',
        floor: { title: 'a bare HTTP server', where: { layout: 'none' } },
      })),
      comparisons: (['ready', 'memory'] as const).map((metric) => ({
        title: `${metrics[metric].title}: each layout beside inline`,
        metric,
        figure: 'value' as const,
        pairs: runtimes.flatMap((runtime) =>
          (['worker', 'process'] as const).map((layout) => ({
            label: `${runtime}: ${layout} ÷ inline`,
            of: labelsOf(runtime, layout),
            to: labelsOf(runtime, 'inline'),
          })),
        ),
      })),
    };
  },
};
