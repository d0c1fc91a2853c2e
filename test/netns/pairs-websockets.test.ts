/** Every pair of runtimes, over WebSockets. */

import { testPairs } from './pairs.ts';

await testPairs('WebSockets');
