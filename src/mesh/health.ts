/** How the side of the program that runs the P2P node is, as `status`, `/readyz` and the metrics show it. */

import { z } from 'zod';

export const bridgeStates = ['starting', 'up', 'unresponsive', 'restarting', 'stopped', 'failed'] as const;

export const bridgeHealth = z.object({
  layout: z.string().describe('Where the P2P node runs: inline, worker, process.'),
  state: z.enum(bridgeStates).describe('up: calls are answered. unresponsive: it runs and does not answer.'),
  restarts: z.int().describe('How often the P2P side was started anew.'),
  in_flight: z.int().describe('Calls that wait for its answer.'),
  since: z.number().describe('Epoch seconds of the last change of state.'),
  last_error: z.string().nullable().describe('Why it last ended or failed to start.'),
});

export type BridgeHealth = z.infer<typeof bridgeHealth>;
