/** How the cells of the suite `hop` are named. */

import type { Labels } from '../suite.ts';

/** Both sides on a single processor: a call never waits for an idle processor to wake up, and time is work. */
export const onOneProcessor = 'idle, one processor';

export const hopLabels = (
  runtime: string,
  layout: string,
  inFlight = 1,
  payloadBytes = 100,
  load = 'idle',
): Labels => ({
  runtime,
  layout,
  in_flight: inFlight,
  payload_bytes: payloadBytes,
  load,
});
