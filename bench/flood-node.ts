/** The node that is flooded, in a process of its own: prints its address, ends when its input ends. Started by `flood.ts`. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createNode } from '../src/p2p/node.ts';

const dataFolder = await mkdtemp(join(tmpdir(), 'taskmesh-flood-'));
const node = createNode({
  dataFolder,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  bootstrap: [],
  mdns: false,
  layout: 'inline',
});
await node.start();
console.log(node.addresses[0]);
for await (const _ of process.stdin);
await node.stop();
await rm(dataFolder, { recursive: true, force: true });
process.exit(0);
