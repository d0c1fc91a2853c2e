/** What subjects rely on: the queue that is measured really works on tasks, and a process's figures are its own. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { platform } from 'node:os';
import process from 'node:process';
import * as assert from 'uvu/assert';
import { executableOf } from '../../bench/runner/runtimes.ts';
import { McpClient } from '../../bench/subjects/mcp-client.ts';
import { figuresOf } from '../../bench/subjects/process-figures.ts';
import { openOwnQueue } from '../../bench/subjects/queue-own.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('subjects');

test('our queue is filled and drained task by task', async () => {
  await using folder = await tempFolder();
  const queue = await openOwnQueue(folder.path, { payloadBytes: 10 });
  try {
    await queue.submit();
    await queue.fill(250);
    assert.ok((await queue.drain(200, 8)) > 0);
    assert.ok((await queue.drain(50, 1)) > 0);
    // Tasks that were only submitted are not among those that are worked on.
    await queue.drain(1, 1).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, 'fewer tasks'),
    );
  } finally {
    await queue.close();
  }
});

if (platform() !== 'win32') {
  test('figures of a process include those of what it started', async () => {
    const before = figuresOf(process.pid);
    assert.ok(before.memoryBytes > 1e6, `${before.memoryBytes} bytes`);
    assert.ok(before.cpuMs > 0);
    const child = spawn(executableOf('node'), ['-e', 'console.log(1); process.stdin.resume()'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    const after = figuresOf(process.pid);
    assert.is(after.processes, before.processes + 1);
    child.stdin.end();
    await exited;
  });
}

test('a driver does not take a refusal for an answer', async () => {
  const client = new McpClient();
  await client.call('http://127.0.0.1:1/mcp', 'p2p_taskqueue_status', {}).then(
    () => assert.unreachable(),
    (error: NodeJS.ErrnoException) => assert.ok(error instanceof Error),
  );
  client.close();
});

test.run();
