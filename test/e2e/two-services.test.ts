/** Two real services, one per runtime, started from their entrypoints; a task goes from an MCP client of one to a worker at the other. */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { clientKinds, connectClient } from '../server/clients.ts';
import { type RuntimeName, type Service, startService } from '../support/service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('two services');

type Answer = Record<string, unknown>;
type Call = (
  tool: string,
  input?: Answer,
  onprogress?: (progress: { message?: string | undefined }) => void,
) => Promise<Answer>;

async function caller(
  kind: (typeof clientKinds)[number],
  service: Service,
): Promise<{ call: Call; close(): Promise<void> }> {
  const client = await connectClient(kind, service.url);
  return {
    call: async (tool, input = {}, onprogress) =>
      (await client.call(tool, input, onprogress ? { onprogress } : {})).structuredContent ?? {},
    close: () => client.close(),
  };
}

const pairs: [giver: RuntimeName, worker: RuntimeName][] = [
  ['node', 'deno'],
  ['deno', 'node'],
];

for (const [giver, worker] of pairs) {
  for (const kind of clientKinds) {
    test(`${kind}: a task given to ${giver} is claimed, reported on and completed at ${worker}, and its result comes back`, async () => {
      await using folder = await tempFolder();
      await using first = await startService({
        runtime: giver,
        data: join(folder.path, 'first'),
        flags: ['--no-mdns'],
      });
      const announced = join(folder.path, 'first', 'announce.json');
      await using second = await startService({
        runtime: worker,
        data: join(folder.path, 'second'),
        flags: ['--no-mdns', '--bootstrap', announced],
      });
      const give = await caller(kind, first);
      const take = await caller(kind, second);
      const connected = await take.call('connect_peer', { remote_multiaddr: first.addresses[0] });
      assert.is(connected.ok, true, JSON.stringify(connected));

      const submitted = await give.call('p2p_taskqueue_submit', {
        task_type: 'e2e.sum',
        payload: { numbers: [1, 2, 3] },
      });
      assert.is(submitted.ok, true, JSON.stringify(submitted));
      const { task_id } = submitted;
      const heard = Promise.withResolvers<string | undefined>();
      const waited = give.call('p2p_taskqueue_wait_task', { task_id, timeout_s: 10 }, ({ message }) => {
        if (message?.includes('half')) heard.resolve(message);
      });

      const claimed = await take.call('p2p_taskqueue_claim_next', {
        worker_id: 'w1',
        supported_task_types: ['e2e.sum'],
        wait_s: 5,
      });
      const task = claimed.task as Answer;
      assert.ok(task, JSON.stringify(claimed));
      assert.is(task.task_id, task_id);
      assert.equal(task.payload, { numbers: [1, 2, 3] });
      const { fence } = task;
      const beat = await take.call('p2p_taskqueue_heartbeat', { task_id, fence, progress: 'half' });
      assert.is(beat.ok, true, JSON.stringify(beat));
      assert.match((await heard.promise) ?? '', 'half');
      const stale = await take.call('p2p_taskqueue_complete_task', {
        task_id,
        fence: (fence as number) + 1,
        result: 0,
      });
      assert.is(stale.error, 'stale_fence', JSON.stringify(stale));
      const completed = await take.call('p2p_taskqueue_complete_task', { task_id, fence, result: { sum: 6 } });
      assert.is(completed.ok, true, JSON.stringify(completed));

      const answer = await waited;
      const done = answer.task as Answer;
      assert.is(answer.done, true);
      assert.is(done.status, 'completed');
      assert.equal(done.result, { sum: 6 });
      assert.is(done.assigned_worker, 'w1');
      assert.is(done.assigned_peer, second.peerId);

      // The worker's node answers the same about the task: it asks the owner.
      const seen = (await take.call('p2p_taskqueue_get_task', { task_id })).task as Answer;
      assert.is(seen.status, 'completed');

      await give.close();
      await take.close();
      for (const service of [first, second]) {
        const { code, tookMs } = await service.stop();
        assert.is(code, 0, service.output());
        assert.ok(tookMs < 2_000, `Ctrl-C took ${tookMs} ms`);
      }
    });
  }
}

test.run();
