/** What a node takes besides its options: the parts that a test may replace. */

import type { Clock } from '../mesh/clock.ts';

export type { NodeOptions } from '../mesh/node-options.ts';

/** What a test may replace. */
export interface NodeDependencies {
  clock?: Clock;
  /** From 0 to below 1; spreads the waiting times of redials. */
  random?: () => number;
}
