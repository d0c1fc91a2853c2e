import * as assert from 'uvu/assert';
import type { Grant } from '../../../src/mesh/grant.ts';
import type { ClaimedTask } from '../../../src/mesh/task.ts';
import { suite } from '../../tooling/suite.ts';
import { failureOf, statusOf, type TestNode, until } from '../support.ts';
import { list, revoke, testMesh } from './support.ts';

const claims = suite('claims that wait while a grant changes');

interface Pair extends AsyncDisposable {
  owner: TestNode;
  worker: TestNode;
}

/** An owner and a worker that list each other and are connected, whoever of them can dial. */
async function pair(grant: Partial<Grant>, workerListens = true): Promise<Pair> {
  await using opened = new AsyncDisposableStack();
  const mesh = opened.use(await testMesh());
  const owner = opened.use(await mesh.start({}, { random: () => 0 }));
  const listen = workerListens ? ['/ip4/127.0.0.1/tcp/0'] : [];
  const worker = opened.use(await mesh.start({ bootstrap: [owner.address], listen }, { random: () => 0 }));
  await list(worker, owner);
  await list(owner, worker, grant);
  await until(() => servedAt(owner, worker, 'list'));
  await worker.mesh.call('connect', { remote_multiaddr: owner.address });
  const open = opened.move();
  return { owner, worker, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function servedAt(at: TestNode, peer: TestNode, how: string): Promise<boolean> {
  const { detail } = await statusOf(at);
  return detail.peers?.some(({ peer_id, served_by }) => peer_id === peer.peerId && served_by === how) ?? false;
}

/** A claim at the worker that names no target, once it waits at the owner too. */
async function claimAnywhere(
  worker: TestNode,
  owner: TestNode,
  types: string[],
): Promise<{ task: Promise<ClaimedTask | null> }> {
  const task = worker.mesh.call('claim', { supported_task_types: types, wait_s: 60 }).then((output) => output.task);
  task.catch(() => {});
  await waitsAt(owner);
  return { task };
}

async function waitsAt(owner: TestNode): Promise<void> {
  await until(async () => (await statusOf(owner)).detail.waiters === 1);
}

for (const workerListens of [true, false])
  claims(
    `a claim without a target gets the task after its node was shut out and let in again (${workerListens ? 'both' : 'only the worker'} can dial)`,
    async () => {
      await using both = await pair({ work: ['*'] }, workerListens);
      const { owner, worker } = both;
      const { task } = await claimAnywhere(worker, owner, []);
      await revoke(owner, worker);
      await until(async () => (await statusOf(owner)).detail.waiters === 0);
      await until(async () => ((await statusOf(owner)).detail.trust?.revoked ?? 0) === 1);
      await list(owner, worker);
      const { task_id } = await owner.mesh.call('submit', { task_type: 'long' });
      assert.is((await task)?.task_id, task_id);
    },
  );

claims('a claim without a target gets a task of a type that is granted while it waits', async () => {
  await using both = await pair({ work: ['other'] });
  const { owner, worker } = both;
  const task = worker.mesh.call('claim', { supported_task_types: ['long'], wait_s: 60 });
  await until(async () => ((await statusOf(owner)).detail.trust?.refusals.work ?? 0) >= 2);
  const { task_id } = await owner.mesh.call('submit', { task_type: 'long' });
  await list(owner, worker, { work: ['long'] });
  assert.is((await task).task?.task_id, task_id);
});

claims(
  'a claim of several types that waits takes what is granted to it later, and not what is taken away',
  async () => {
    await using both = await pair({ work: ['a', 'b'] });
    const { owner, worker } = both;
    const claim = worker.mesh.call('claim', {
      supported_task_types: ['a', 'b', 'c'],
      wait_s: 60,
      remote_peer_id: owner.peerId,
    });
    await until(async () => (await statusOf(owner)).capabilities.task_types.join() === 'a,b');
    await list(owner, worker, { work: ['b', 'c'] });
    await until(async () => (await statusOf(owner)).capabilities.task_types.join() === 'b,c');
    await owner.mesh.call('submit', { task_type: 'a' });
    const { task_id } = await owner.mesh.call('submit', { task_type: 'c' });
    assert.is((await claim).task?.task_id, task_id);
  },
);

claims('a claim that waits for one peer ends when that peer takes the type away', async () => {
  await using both = await pair({ work: ['a'] });
  const { owner, worker } = both;
  const input = { supported_task_types: ['a'], wait_s: 60, remote_peer_id: owner.peerId };
  const claim = failureOf(worker.mesh.call('claim', input));
  await waitsAt(owner);
  await list(owner, worker, { work: ['b'] });
  assert.equal((await claim).details, { grant: 'work', value: 'a' });
});

claims.run();
