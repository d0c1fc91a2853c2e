/** `npm run bench:fair-loop`: the suite `bought` alone, with the options of `npm run bench`. */

import process from 'node:process';

process.argv.splice(2, 0, '--suites', 'bought');
await import('./run.ts');
