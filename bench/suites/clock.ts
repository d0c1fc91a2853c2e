/** What this machine and its runtimes can see at all: nothing shorter than this can be measured. Also the example of a suite. */

import type { ClockTask } from '../subjects/clock.ts';
import type { Cell, Suite } from '../suite.ts';

const tasks: readonly ClockTask[] = ['clock', 'promise', 'immediate', 'timeout'];
const file = new URL('../subjects/clock.ts', import.meta.url);

export const clock: Suite = {
  name: 'clock',
  title: 'The clock',
  question:
    'How fine is the clock that everything else is measured with, and what does one turn of the event loop cost?',
  budgetMs: { full: 10_000, quick: 4_000, smoke: 3_000 },
  async plan({ runtimes, mode }) {
    const cells = runtimes.flatMap((runtime) =>
      tasks.map(
        (what): Cell => ({
          labels: { runtime, what },
          subject: { runtime, file },
          task: what,
          roundMs: mode === 'smoke' ? 10 : 50,
        }),
      ),
    );
    return {
      metrics: {
        latency: { title: 'Time', unit: 'µs', better: 'less' },
        rate: { title: 'Rate', unit: 'a second', better: 'more' },
      },
      cells,
      noiseOf: { runtime: runtimes[0] ?? 'node', what: 'immediate' },
    };
  },
};
