/**
 * Two hosts on one segment, every pair of runtimes, over TCP and over WebSockets: a task that an MCP client on one submits is
 * done by `taskmesh work` on the other, and the result comes back.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { RuntimeName } from '../support/service.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { addressOf, clientOn, cliOn, commandOn, serviceOn } from './hosts.ts';
import { openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';
import { shareMeshKey } from './mesh-of-hosts.ts';

const runtimes: readonly RuntimeName[] = ['node', 'deno'];

/** Answers how many bytes its input has. */
const program = `let text = '';
process.stdin.on('data', (piece) => (text += piece)).on('end', () => console.log(JSON.stringify({ bytes: text.length })));
`;

async function programIn(folder: TempFolder): Promise<string> {
  const file = join(folder.path, 'count.js');
  await writeFile(file, program);
  return file;
}

/** Declares the tests of all pairs over the transport, and runs them: a file for each transport, because each takes a while. */
export async function testPairs(transport: 'TCP' | 'WebSockets'): Promise<void> {
  const test = await labSuite(`two hosts over ${transport}`);
  for (const giver of runtimes) {
    for (const taker of runtimes) {
      test(`a task from a host on ${giver} is worked on a host on ${taker}, over ${transport}`, async () => {
        await using folder = await tempFolder();
        await using lab = await openLab({ a: ['lan'], b: ['lan'] });
        const { a, b } = lab.hosts;
        await shareMeshKey(folder.path, [a, b]);
        const listen = (ip: string): string[] => [
          '--no-mdns',
          '--p2p-listen',
          `/ip4/${ip}/tcp/0${transport === 'TCP' ? '' : '/ws'}`,
        ];
        await using owner = await serviceOn(a, { runtime: giver, folder: folder.path, flags: listen(a.address()) });
        const known = addressOf(owner, a, transport === 'TCP' ? '/tcp/' : '/ws');
        await using helper = await serviceOn(b, {
          runtime: taker,
          folder: folder.path,
          flags: [...listen(b.address()), '--bootstrap', known],
        });
        const asked = ['--type', 'lab', '--exec', await programIn(folder), '--url', helper.url];
        await using _worker = commandOn(b, ['work', ...asked]);
        await using client = clientOn(a, owner);
        const { task_id } = await client.ask('p2p_taskqueue_submit', { task_type: 'lab', payload: { text: 'twelve' } });
        const { task } = await client.ask('p2p_taskqueue_wait_task', { task_id, timeout_s: 20 });
        const { status, result, assigned_peer } = task as Record<string, unknown>;
        assert.equal([status, result], ['completed', { bytes: '{"text":"twelve"}'.length }]);
        assert.is(assigned_peer, helper.peerId);
        const seen = await cliOn(b, ['get', String(task_id), '--url', helper.url, '--json']);
        assert.is(seen.code, 0, seen.stderr);
        assert.is(JSON.parse(seen.stdout).task.status, 'completed');
      });
    }
  }
  test.run();
}
