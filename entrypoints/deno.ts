/**
 * The service on Deno, bridge-free: the P2P node runs in the main loop unless `--layout` says otherwise.
 *
 *     deno task start --port 7330 --data ~/.taskmesh
 */

import { main } from './main.ts';

await main('serve');
