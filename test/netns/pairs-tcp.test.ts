/** Every pair of runtimes, over TCP. */

import { testPairs } from './pairs.ts';

await testPairs('TCP');
