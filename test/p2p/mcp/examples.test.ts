/** The examples of MCP by peer id, run as they stand on this runtime. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { commandFor, currentRuntime, rootFolder } from '../../tooling/runtimes.ts';
import { suite } from '../../tooling/suite.ts';

const test = suite('examples of MCP by peer id');

function start(example: string, ...more: string[]) {
  const { executable, args } = commandFor(currentRuntime, join(rootFolder, 'examples', example));
  return spawn(executable, [...args, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('the client calls the server', async () => {
  const server = start('mcp-server-by-peer-id.ts');
  try {
    const [address] = (await once(createInterface(server.stdout), 'line')) as [string];
    const client = start('mcp-client-by-peer-id.ts', address);
    let said = '';
    client.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const [exitCode] = await once(client, 'close');
    assert.is(exitCode, 0);
    assert.match(said, /It offers: greet[\s\S]*Hello Ada, alias 12D3KooW/);
  } finally {
    const ended = once(server, 'close');
    if (server.pid !== undefined) process.kill(server.pid, 'SIGINT');
    await ended;
  }
});

test.run();
