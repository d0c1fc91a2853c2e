/** A worker as a program of its own: joins the mesh and reverses texts until Ctrl-C. */
import process from 'node:process';
import { createMesh, work } from 'taskmesh';

await using mesh = await createMesh({ data: './worker-data' });
const worker = work(mesh, {
  types: ['text.reverse'],
  run: (task) => ({ text: [...String(task.payload)].reverse().join('') }),
  onEvent: (event) => console.log(event.type, 'task' in event ? event.task.task_id : ''),
});
process.once('SIGINT', () => worker.stop());
console.log('Working on text.reverse; Ctrl-C stops.');
await worker.done;
