import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { perCallMesh } from '../../bench/per-call-mesh.ts';
import { checked } from '../../src/mesh/checked.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('layout per-call');

test('each call has a node of its own, on the same queue and under the same identity', async () => {
  await using folder = await tempFolder();
  await using running = perCallMesh({ dataFolder: join(folder.path, 'node'), listen: [], bootstrap: [], mdns: false });
  const mesh = checked(running);
  const [first, second] = await Promise.all([mesh.call('submit', { task_type: 't' }), mesh.call('status', {})]);
  assert.equal(second.queue.queued, 1);
  assert.is(second.layout, 'per-call');
  assert.is(first.task_id.split('@')[1], second.peer_id);
  assert.is((await mesh.call('get', { task_id: first.task_id })).task.status, 'queued');
});

test.run();
