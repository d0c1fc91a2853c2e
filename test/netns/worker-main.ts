/**
 * A worker inside a host: the worker loop of `taskmesh work`, on the node whose MCP URL is the first argument. Each result holds
 * the payload's number and an id that no other run has; each line of output says how an attempt ended. Started by `hosts.ts`.
 */

import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { createHttpMesh } from '../../src/cli/http-mesh.ts';
import { keepAlive } from '../../src/cli/keep-alive.ts';
import { work } from '../../src/work/work.ts';

const [url = '', workerId = '', concurrency = '1', leaseSeconds = '5', workMs = '0'] = process.argv.slice(2);

await using mesh = createHttpMesh({ url, version: '0.0.0' });
using _ = keepAlive();
const runs = new Map<string, string>();
const worker = work(mesh, {
  types: ['lab'],
  workerId,
  concurrency: Number(concurrency),
  leaseMs: Number(leaseSeconds) * 1000,
  async run({ task_id, payload }) {
    const { n } = payload as { n: number };
    const run = randomUUID();
    runs.set(task_id, run);
    // The work itself: time that passes.
    if (Number(workMs) > 0) await new Promise((resolve) => setTimeout(resolve, Number(workMs)));
    return { n, run };
  },
  onEvent(event) {
    const line =
      event.type === 'ended'
        ? { task_id: event.task.task_id, run: runs.get(event.task.task_id), outcome: event.outcome, error: event.error }
        : { event: event.type };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  },
});
process.once('SIGTERM', () => void worker.stop(0));
await worker.done;
process.exit(0);
