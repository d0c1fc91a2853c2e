/** All suites, in the order in which they run and stand in the report. */

import type { Suite } from './suite.ts';
import { bought } from './suites/bought.ts';
import { clock } from './suites/clock.ts';
import { hop } from './suites/hop.ts';
import { queue } from './suites/queue.ts';
import { startUp } from './suites/start-up.ts';
import { toolCall } from './suites/tool-call.ts';
import { wire } from './suites/wire.ts';

export const suites: readonly Suite[] = [clock, hop, toolCall, bought, wire, queue, startUp];
