/**
 * The service on Node, bridged: the P2P node runs in a worker thread unless `--layout` says otherwise.
 *
 *     node entrypoints/node.ts --port 7330 --data ~/.taskmesh
 */

import { main } from './main.ts';

await main('serve');
