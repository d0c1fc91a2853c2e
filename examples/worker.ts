/** A worker as a program of its own: joins the mesh and does tasks of one type until Ctrl-C. */

import process from 'node:process';
import { createMesh, work } from 'taskmesh';

const type = 'text.reverse';

await using mesh = await createMesh({ data: './worker-data' });
const worker = work(mesh, {
  types: [type],
  run: (task) => ({ text: [...String(task.payload)].reverse().join('') }),
  onEvent(event) {
    if (event.type === 'ended') console.log(`${event.outcome} ${event.task.task_id}`);
  },
});
const { peer_id } = await mesh.call('status', {});
console.log(`Working on ${type} as node ${peer_id}, which keeps its data in ./worker-data. Ctrl-C stops.`);
process.once('SIGINT', () => worker.stop());
await worker.done;
