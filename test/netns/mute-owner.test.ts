/** What the tasks' owner says does not arrive; what the workers say does. */

import { testOneWayLoss } from './one-way-loss.ts';

await testOneWayLoss('owner');
