/** Two commands for two machines: what `invite` prints on one is given to `join` on the other, and work goes both ways. */

import * as assert from 'uvu/assert';
import { tempFolder } from '../support/temp-folder.ts';
import { clientOn, cliOn, dataOf, type HostClient, serviceOn } from './hosts.ts';
import { openLab } from './lab.ts';
import { labSuite } from './lab-suite.ts';

const test = await labSuite('joining');

async function workCrosses(giver: HostClient, taker: HostClient): Promise<void> {
  const claimed = taker.ask('p2p_taskqueue_claim_next', { supported_task_types: ['joined'], wait_s: 30 });
  const { task_id } = await giver.ask('p2p_taskqueue_submit', { task_type: 'joined', payload: {} });
  const task = (await claimed).task as { task_id: string; fence: number } | null;
  assert.is(task?.task_id, task_id);
  await taker.ask('p2p_taskqueue_complete_task', { task_id, fence: task?.fence, result: 'done' });
}

test('taskmesh invite on one host, taskmesh join on the other: each serves the other, by list and not by key', async () => {
  await using folder = await tempFolder();
  await using lab = await openLab({ first: ['lan'], second: ['lan'] });
  const { first, second } = lab.hosts;
  const made = await cliOn(first, ['init', '--data', dataOf(first, folder.path)]);
  assert.is(made.code, 0, made.stderr);
  const listening = (flags: readonly string[] = []) => ({
    folder: folder.path,
    admit: 'listed' as const,
    flags: ['--no-mdns', '--p2p-listen', '/ip4/0.0.0.0/tcp/0', ...flags],
  });
  await using inviter = await serviceOn(first, { runtime: 'node', ...listening() });
  const invited = await cliOn(first, ['invite', '--data', dataOf(first, folder.path), '--url', inviter.url, '--json']);
  assert.is(invited.code, 0, invited.stderr);
  const { ticket } = JSON.parse(invited.stdout) as { ticket: string };
  const joined = await cliOn(second, ['join', ticket, '--data', dataOf(second, folder.path), '--no-mdns']);
  assert.is(joined.code, 0, `${joined.stdout}${joined.stderr}`);
  await using joiner = await serviceOn(second, { runtime: 'deno', ...listening() });
  await using one = clientOn(first, inviter);
  await using two = clientOn(second, joiner);
  await workCrosses(one, two);
  await workCrosses(two, one);
});

test.run();
