/** The command `taskmesh`, on either runtime; `bin/taskmesh.js` finds a runtime that can run it. */

import { main } from './main.ts';

await main();
