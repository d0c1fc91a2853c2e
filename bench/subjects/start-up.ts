/** Subject of the suite `start-up`: starts a service each round, waits until it is ready, leaves it alone, ends it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import denoConfig from '../../deno.json' with { type: 'json' };
import type { Layout } from '../../src/mesh/node-options.ts';
import { executableOf } from '../runner/runtimes.ts';
import { serveCells } from '../serve-cells.ts';
import type { RuntimeName } from '../suite.ts';
import { figuresOf } from './process-figures.ts';

export interface StartUpParams {
  folder: string;
}

export interface StartUpTask {
  runtime: RuntimeName;
  /** `none`: a bare HTTP server in the service's place. */
  layout: Layout | 'none';
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What a service does right after it is ready is not what it does when it idles, in milliseconds. */
const settleMs = 300;

/** As the package's scripts start it, with a data folder of its own. */
function wordsOf({ runtime, layout }: StartUpTask, data: string, folder: string): string[] {
  const floor = fileURLToPath(new URL('./start-up-floor.ts', import.meta.url));
  if (layout === 'none') return runtime === 'node' ? [floor] : ['run', '--allow-net', '--quiet', floor];
  const task = denoConfig.tasks[layout === 'process' ? 'start:process' : 'start'];
  const deno = task
    .split(' ')
    .slice(1)
    .map((word) => word.replace('$HOME/.taskmesh', folder));
  // The task for layout `process` names the layout already.
  const command =
    runtime === 'node' ? ['entrypoints/node.ts'] : deno.filter((word) => !/^(--layout|process)$/.test(word));
  return [...command, '--port', '0', '--no-mdns', '--log-level', 'error', '--data', data, '--layout', layout];
}

/** Resolves with the URL when the service says that it serves. */
async function readiness(child: ChildProcess): Promise<string> {
  let url = '';
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text;
  });
  if (child.stdout === null) throw new Error('The service has no output.');
  for await (const line of createInterface({ input: child.stdout })) {
    url ||= /^\s+MCP\s+(http\S+)/.exec(line)?.[1] ?? '';
    if (line.includes('Ctrl-C')) break;
  }
  if (url === '') throw new Error(`The service ended before it was ready: ${said.slice(-1_000)}`);
  child.stdout.resume();
  return url;
}

async function answers(url: string): Promise<void> {
  const response = await fetch(new URL('/readyz', url));
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`The service says that it is not ready: ${response.status}`);
}

await serveCells<StartUpParams, StartUpTask>(async ({ folder: given }) => {
  const folder = await mkdtemp(join(given, 's'));
  let rounds = 0;
  return {
    async measure(task, { ms, warmUp }) {
      // Each round starts a fresh process: there is nothing that a warm-up could warm.
      if (warmUp) return { figures: {} };
      const data = join(folder, `data-${rounds++}`);
      const from = performance.now();
      const child = spawn(executableOf(task.runtime), wordsOf(task, data, folder), {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
      try {
        await answers(await readiness(child));
        const readyMs = performance.now() - from;
        await setTimeout(settleMs);
        const pid = child.pid ?? 0;
        const before = figuresOf(pid);
        const idleFrom = performance.now();
        await setTimeout(ms);
        const after = figuresOf(pid);
        const idleMs = performance.now() - idleFrom;
        const stopFrom = performance.now();
        process.kill(pid, 'SIGINT');
        await exited;
        return {
          figures: {
            ready: readyMs,
            memory: after.memoryBytes / 1e6,
            idle_cpu: (100 * (after.cpuMs - before.cpuMs)) / idleMs,
            stop: performance.now() - stopFrom,
          },
          notes: { processes: after.processes },
        };
      } finally {
        if (child.exitCode === null) child.kill('SIGKILL');
        await exited;
        await rm(data, { recursive: true, force: true });
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
});
