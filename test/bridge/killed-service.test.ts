/** The far side killed with -9, again and again, during a stream of submissions: what was accepted is there, once. */

import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { childWay } from '../../src/bridge/child-way.ts';
import { SupervisedMesh } from '../../src/bridge/supervised-mesh.ts';
import { runtime } from '../../src/mesh/build.ts';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('killed service');

const submissions = 100_000;
const lanes = 256;
/** A kill after each of these many answers. */
const kills = [10_000, 35_000, 60_000, 85_000];
const main = fileURLToPath(new URL('../../entrypoints/p2p.ts', import.meta.url));

/** Ids of all tasks, with their keys. */
async function everyTask(mesh: Mesh): Promise<Map<string, string | null>> {
  const found = new Map<string, string | null>();
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { tasks: { task_id: string; idempotency_key: string | null }[]; cursor: string | null } =
      await mesh.call('list', { limit: 1000, cursor });
    for (const { task_id, idempotency_key } of page.tasks) found.set(task_id, idempotency_key);
    cursor = page.cursor;
  }
  return found;
}

test(`of ${submissions} submissions each is accepted and kept, or answered with its error; no key has two tasks`, async () => {
  await using folder = await tempFolder();
  const dataFolder = join(folder.path, 'node');
  let pid = 0;
  const way = childWay({
    command: [process.execPath, ...(runtime.name === 'deno' ? ['run', '-A'] : []), main, '--supervised'],
    service: {
      node: { dataFolder, listen: [], bootstrap: [], mdns: false, layout: 'process' },
      rpc: [{ kind: 'unix', path: join(dataFolder, 'p2p.sock') }],
      logLevel: 'fatal',
    },
    onStarted: (started) => {
      pid = started;
    },
  });
  await using running = new SupervisedMesh(way, {
    onDown(cause) {
      throw cause;
    },
  });
  await running.start();
  const mesh = checked(running);

  const accepted = new Map<string, string>();
  const keysOfErrors: string[] = [];
  const codes = new Map<string, number>();
  let next = 0;
  let answered = 0;
  const dueKills = [...kills];
  const lane = async (): Promise<void> => {
    while (next < submissions) {
      const index = next++;
      // Every other one has a key; the bridge may carry those again by itself, the others it must not.
      const key = index % 2 === 0 ? `key-${index}` : undefined;
      try {
        const { task_id } = await mesh.call('submit', {
          task_type: 't',
          payload: index,
          ...(key === undefined ? {} : { idempotency_key: key }),
        });
        accepted.set(task_id, key ?? '');
      } catch (error) {
        assert.instance(error, MeshError);
        const { code } = error as MeshError;
        codes.set(code, (codes.get(code) ?? 0) + 1);
        if (key !== undefined) keysOfErrors.push(key);
      }
      answered++;
      if (dueKills[0] !== undefined && answered >= dueKills[0]) {
        dueKills.shift();
        process.kill(pid, 'SIGKILL');
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));

  assert.is(answered, submissions);
  assert.is(dueKills.length, 0);
  assert.is(running.health().restarts, kills.length);
  const errors = [...codes.values()].reduce((sum, count) => sum + count, 0);
  assert.is(accepted.size + errors, submissions, 'every submission has an answer of its own');
  assert.ok(codes.size === 0 || (codes.size === 1 && codes.has('mesh_down')), JSON.stringify([...codes]));

  const kept = await everyTask(mesh);
  for (const [task_id, key] of accepted)
    assert.is(kept.get(task_id), key === '' ? null : key, `${task_id} was accepted and is not there`);
  const keys = [...kept.values()].filter((key) => key !== null);
  assert.is(new Set(keys).size, keys.length, 'no key has two tasks');
  // What was answered with an error may have been accepted all the same; nothing else is there.
  assert.ok(kept.size <= accepted.size + errors, `${kept.size} tasks`);

  // And whoever tries again under the same key gets one task, whether the first try had worked or not.
  for (const key of keysOfErrors.slice(0, 100)) {
    const payload = Number(key.slice('key-'.length));
    const first = await mesh.call('submit', { task_type: 't', payload, idempotency_key: key });
    const second = await mesh.call('submit', { task_type: 't', payload, idempotency_key: key });
    assert.equal([second.task_id, second.deduplicated], [first.task_id, true]);
  }
});

test.run();
