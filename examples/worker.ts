/** A worker as a program of its own: joins the mesh and does tasks of one type until Ctrl-C. */

import process from 'node:process';
import { createMesh, work } from 'taskmesh';

await using mesh = await createMesh({ data: './worker-data' });
const worker = work(mesh, {
  types: ['text.reverse'],
  run: (task) => ({ text: [...String(task.payload)].reverse().join('') }),
});
process.once('SIGINT', () => worker.stop());
await worker.done;
