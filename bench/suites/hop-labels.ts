/** How the cells of the suite `hop` are named. */

import type { Labels } from '../suite.ts';

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
