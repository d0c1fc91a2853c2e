/** What the workers say does not arrive; what the tasks' owner says does. */

import { testOneWayLoss } from './one-way-loss.ts';

await testOneWayLoss('helper');
