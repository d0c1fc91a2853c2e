/**
 * What every layout must do, as one suite: a function applied to each way of running the P2P node. The node behind it is a
 * real one, on a real data folder; nothing here knows where it runs.
 */

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { Mesh, MeshEvent, RunningMesh, TaskProgress } from '../../src/mesh/mesh.ts';
import type { NodeOptions } from '../../src/mesh/node-options.ts';
import { type OperationName, operationNames } from '../../src/mesh/operations.ts';
import { errorCode } from '../support/error-code.ts';
import { type TempFolder, tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { peerIdOfNobody, refusals } from './refusals.ts';

export type Open = (node: Omit<NodeOptions, 'layout'>) => Promise<RunningMesh>;

/** A started mesh and its folder. */
interface Bench extends AsyncDisposable {
  mesh: Mesh;
  folder: TempFolder;
  peerId: string;
}

const megabyte = 'x'.repeat(1024 * 1024 - 100);

export function conformance(layout: string, open: Open): void {
  const test = suite(`layout ${layout}`);

  async function start(): Promise<Bench> {
    const folder = await tempFolder();
    const running = await open({
      dataFolder: join(folder.path, 'node'),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: [],
      mdns: false,
      toolsModule: new URL('./tools-fixture.ts', import.meta.url).pathname,
    });
    await running.start();
    const mesh = checked(running);
    const { peer_id: peerId } = await mesh.call('status', {});
    return {
      mesh,
      folder,
      peerId,
      async [Symbol.asyncDispose]() {
        await running.stop();
        await folder.remove();
      },
    };
  }

  const submitOne = async (mesh: Mesh, extra: object = {}): Promise<string> =>
    (await mesh.call('submit', { task_type: 't', payload: { n: 1 }, ...extra })).task_id;

  const claimOne = async (mesh: Mesh) => {
    const { task } = await mesh.call('claim', { supported_task_types: ['t'] });
    if (task === null) throw new Error('There should have been a task.');
    return task;
  };

  test('every operation of the table does its work', async () => {
    await using bench = await start();
    const { mesh, peerId } = bench;
    const done = new Set<OperationName>();
    const call: Mesh['call'] = (name, input, options) => {
      done.add(name);
      return mesh.call(name, input, options);
    };
    const task_id = (await call('submit', { task_type: 't', payload: { n: 1 } })).task_id;
    assert.match(task_id, new RegExp(`^[0-9a-f]{32}@${peerId}$`));
    const many = await call('submit_many', { tasks: [{ task_type: 'u' }, { task_type: 'u' }] });
    assert.is(many.tasks.length, 2);
    const first = (await call('claim', { supported_task_types: ['t'], worker_id: 'w' })).task;
    assert.is(first?.task_id, task_id);
    assert.is(first?.assigned_peer, peerId);
    const lease = { task_id, fence: first?.fence ?? 0 };
    await call('heartbeat', { ...lease, progress: { done: 1 } });
    assert.equal((await call('get', { task_id })).task.progress, { done: 1 });
    assert.is((await call('release', { ...lease, reason: 'later' })).status, 'queued');
    const second = await claimOne(mesh);
    assert.ok(second.fence > lease.fence);
    assert.is((await call('fail', { task_id, fence: second.fence, error: 'no', retry: false })).status, 'failed');
    assert.is((await call('retry', { task_id })).status, 'queued');
    const third = await claimOne(mesh);
    assert.is((await call('complete', { task_id, fence: third.fence, result: [1] })).status, 'completed');
    const waited = await call('wait', { task_id });
    assert.equal([waited.done, waited.task.result], [true, [1]]);
    const other = many.tasks[0]?.task_id ?? '';
    assert.is((await call('cancel', { task_id: other })).cancelled, true);
    assert.equal(
      (await call('list', { status: 'cancelled' })).tasks.map((task) => task.task_id),
      [other],
    );
    assert.equal((await call('status', { detail: true })).queue, {
      queued: 1,
      running: 0,
      completed: 1,
      failed: 0,
      cancelled: 1,
    });
    await call('cache_set', { key: 'k', value: { v: [null, 'ü'] } });
    assert.equal(await call('cache_get', { key: 'k' }), { key: 'k', hit: true, value: { v: [null, 'ü'] } });
    assert.is((await call('cache_has', { key: 'k' })).hit, true);
    assert.is((await call('cache_delete', { key: 'k' })).deleted, true);
    assert.equal(await call('call_tool', { tool_name: 'double', args: { n: 21 } }), { tool: 'double', result: 42 });
    assert.is((await call('peers', {})).peer_id, peerId);
    assert.equal((await call('discover', { timeout_s: 0.2 })).peers, []);
    assert.is(
      await errorCode(call('connect', { remote_multiaddr: `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOfNobody}` })),
      'peer_unreachable',
    );
    const nobody = { method: 'tools/list', remote_multiaddr: `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOfNobody}` } as const;
    assert.is(await errorCode(call('mcp_request', nobody)), 'peer_unreachable');
    assert.equal([...done].sort(), [...operationNames].sort());
  });

  // They share a node, for a process takes a while to start; each has tasks of a type of its own.
  let shared: Promise<Bench> | undefined;
  for (const [what, code, act] of refusals) {
    test(`${what} is refused with ${code}`, async () => {
      shared ??= start();
      assert.is(await errorCode(act((await shared).mesh)), code);
    });
  }
  test.after(async () => (await shared)?.[Symbol.asyncDispose]());

  test('two nodes on one folder: the second is refused, and the first goes on', async () => {
    await using bench = await start();
    const dataFolder = join(bench.folder.path, 'node');
    const second = await open({ dataFolder, listen: [], bootstrap: [], mdns: false });
    assert.is(await errorCode(second.start()), 'data_folder_locked');
    await second.stop();
    assert.is((await bench.mesh.call('status', {})).peer_id, bench.peerId);
  });

  test('an error crosses whole: code, message, retryable, details', async () => {
    await using bench = await start();
    try {
      await bench.mesh.call('cache_set', { key: 'k', value: megabyte.repeat(2) });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, MeshError);
      const { code, message, retryable, details } = error as MeshError;
      assert.equal([code, retryable, (details as { field: string }).field], ['payload_too_large', false, 'value']);
      assert.match(message, 'at most 1048576');
    }
  });

  test('a megabyte goes in and comes out', async () => {
    await using bench = await start();
    const task_id = await submitOne(bench.mesh, { payload: megabyte });
    const { fence, payload } = await claimOne(bench.mesh);
    assert.is(payload, megabyte);
    await bench.mesh.call('complete', { task_id, fence, result: megabyte });
    assert.is((await bench.mesh.call('wait', { task_id })).task.result, megabyte);
  });

  test('a thousand cancelled waits and claims leave nothing waiting at the node', async () => {
    await using bench = await start();
    const task_id = await submitOne(bench.mesh);
    const controller = new AbortController();
    const { signal } = controller;
    const waits = Array.from({ length: 500 }, () => errorCode(bench.mesh.call('wait', { task_id }, { signal })));
    const claims = Array.from({ length: 500 }, () =>
      errorCode(bench.mesh.call('claim', { supported_task_types: ['none'], wait_s: 60 }, { signal })),
    );
    await waitersAre(bench.mesh, 1000);
    controller.abort();
    assert.equal([...new Set(await Promise.all([...waits, ...claims]))], ['cancelled']);
    await waitersAre(bench.mesh, 0);
  });

  test('a deadline ends the call here and at the node', async () => {
    await using bench = await start();
    const task_id = await submitOne(bench.mesh);
    assert.is(await errorCode(bench.mesh.call('wait', { task_id }, { deadlineMs: 30 })), 'timeout');
    await waitersAre(bench.mesh, 0);
  });

  test('who waits hears of progress, and is woken by the result', async () => {
    await using bench = await start();
    const task_id = await submitOne(bench.mesh);
    const heard: TaskProgress[] = [];
    const half = Promise.withResolvers<void>();
    const waiting = bench.mesh.call(
      'wait',
      { task_id },
      {
        onProgress(progress) {
          heard.push(progress);
          if (progress.progress === 'half') half.resolve();
        },
      },
    );
    const { fence } = await claimOne(bench.mesh);
    await bench.mesh.call('heartbeat', { task_id, fence, progress: 'half' });
    await half.promise;
    await bench.mesh.call('complete', { task_id, fence, result: 'all' });
    assert.is((await waiting).task.result, 'all');
    assert.ok(heard.every((progress) => progress.task_id === task_id && progress.attempt === 1));
  });

  test('events of a task come in its order', async () => {
    await using bench = await start();
    const events: string[] = [];
    const over = Promise.withResolvers<void>();
    const unsubscribe = bench.mesh.subscribe((event: MeshEvent) => {
      if (event.type !== 'task') return;
      events.push(event.status);
      if (event.status === 'completed') over.resolve();
    });
    // The answer to this call comes after the subscription has crossed.
    await bench.mesh.call('status', {});
    const task_id = await submitOne(bench.mesh);
    const { fence } = await claimOne(bench.mesh);
    await bench.mesh.call('complete', { task_id, fence });
    await over.promise;
    unsubscribe();
    assert.equal(events, ['queued', 'running', 'completed']);
  });

  test('ten thousand calls at once are all answered, each with its own answer', async () => {
    await using bench = await start();
    const answers = await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => bench.mesh.call('cache_has', { key: `key-${index}` })),
    );
    assert.equal(
      answers.map(({ key }) => key),
      Array.from({ length: 10_000 }, (_, index) => `key-${index}`),
    );
  });

  test('a stopped mesh refuses calls, and stopping it again is nothing', async () => {
    const folder = await tempFolder();
    const running = await open({ dataFolder: join(folder.path, 'node'), listen: [], bootstrap: [], mdns: false });
    await running.start();
    await running.stop();
    await running.stop();
    assert.is(await errorCode(checked(running).call('status', {})), 'mesh_down');
    await folder.remove();
  });

  test.run();
}

/** Asks until as many calls wait at the node; a cancellation takes a turn or two of its loop to get there. */
async function waitersAre(mesh: Mesh, expected: number): Promise<void> {
  let seen: number | undefined;
  for (let turn = 0; turn < 1000; turn++) {
    seen = (await mesh.call('status', { detail: true })).detail?.waiters;
    if (seen === expected) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(seen, expected);
}
