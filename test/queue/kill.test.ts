import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/mesh/clock.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { openQueue } from '../../src/queue/engine.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { commandFor, currentRuntime } from '../tooling/runtimes.ts';
import { suite } from '../tooling/suite.ts';

const kill = suite('kill -9');

const rounds = 8;

/** Runs the busy process until it has acknowledged so many things, and kills it in the middle of its work. */
async function runAndKill(folder: string, untilLines: number): Promise<string[]> {
  const { executable, args } = commandFor(currentRuntime, fileURLToPath(new URL('busy-process.ts', import.meta.url)));
  const child = spawn(executable, [...args, folder], { stdio: ['ignore', 'pipe', 'inherit'], env: process.env });
  const exit = once(child, 'exit');
  const lines: string[] = [];
  let killed = false;
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length < untilLines || killed) continue;
    killed = child.kill('SIGKILL');
  }
  await exit;
  assert.ok(killed, 'the process was killed, it did not end by itself');
  return lines;
}

kill('nothing that was acknowledged is lost, however often the node is killed', async () => {
  await using folder = await tempFolder();
  const submitted = new Map<string, number>();
  const completed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    // Different moments of the work, the very beginning included.
    for (const line of await runAndKill(folder.path, 2 + round * 150)) {
      // A last line that the kill cut short was no acknowledgement that anybody could read.
      const [, id, length] = /^s ([0-9a-f]{32}) (200|100000)$/.exec(line) ?? [];
      if (id !== undefined) submitted.set(id, Number(length));
      const [, done] = /^c ([0-9a-f]{32})$/.exec(line) ?? [];
      if (done !== undefined) completed.add(done);
    }
  }
  assert.ok(submitted.size > rounds * 50);
  assert.ok([...submitted.values()].some((length) => length > 200));
  assert.ok(completed.size > rounds);

  const path = folder.file('queue.sqlite');
  await using queue = await openQueue({ path, limits: defaultLimits, clock: systemClock, random: Math.random });
  await queue.start();
  const context = { caller: 'test' };
  for (const [task_id, length] of submitted) {
    const { task } = await queue.get({ task_id }, context);
    assert.is(task.payload, 'x'.repeat(length));
    if (completed.has(task_id)) {
      assert.is(task.status, 'completed');
      assert.is(task.result, 'y'.repeat(length));
    }
  }
  const { counts, leases, tasks } = await queue.stats();
  assert.is(leases, counts.running);
  assert.ok(tasks >= submitted.size);
  assert.is(counts.queued + counts.running + counts.completed, tasks);
});

kill.run();
