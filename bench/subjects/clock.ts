/** Subject of the suite `clock`: what the runtime's clock and its loop cost by themselves. */

import { setImmediate, setTimeout } from 'node:timers';
import { closedLoop } from '../loops.ts';
import { serveCells } from '../serve-cells.ts';

export type ClockTask = 'clock' | 'promise' | 'immediate' | 'timeout';

/** The smallest steps that the clock makes, in microseconds. */
function clockSteps(ms: number): number[] {
  const steps: number[] = [];
  const until = performance.now() + ms;
  let last = performance.now();
  while (last < until) {
    const now = performance.now();
    if (now > last) steps.push((now - last) * 1000);
    last = now;
  }
  return steps;
}

const turns: Readonly<Record<Exclude<ClockTask, 'clock'>, () => Promise<unknown>>> = {
  promise: () => Promise.resolve(),
  immediate: () => new Promise((resolve) => setImmediate(resolve)),
  timeout: () => new Promise((resolve) => setTimeout(resolve, 1)),
};

await serveCells<null, ClockTask>(async () => ({
  async measure(task, { ms }) {
    if (task === 'clock') return { figures: { latency: clockSteps(ms) } };
    const { latency, rate } = await closedLoop(turns[task], { inFlight: 1, ms });
    return { figures: { latency, rate } };
  },
}));
