import { writeFile } from 'node:fs/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Grant, noGrant } from '../../../src/mesh/grant.ts';
import type { Mesh } from '../../../src/mesh/mesh.ts';
import { failureOf, rawCarriage, startNode, type TestNode, until } from '../support.ts';
import { list, type TestMesh, testMesh } from './support.ts';

interface Scene {
  mesh: TestMesh;
  owner: TestNode;
  peer: TestNode;
  /** A task of the owner’s own, and one that the peer submitted. */
  foreign: string;
  own: string;
}

const grants = suite<Scene>('what a grant allows');

grants.before(async (scene) => {
  scene.mesh = await testMesh();
  const tools = scene.mesh.folder.file('tools.mjs');
  const source = 'export default Object.fromEntries(["add", "sub"].map((n) => [n, { description: n, run: () => n }]));';
  await writeFile(tools, source);
  scene.owner = await scene.mesh.start({ toolsModule: tools });
  scene.peer = await scene.mesh.start();
  await list(scene.owner, scene.peer);
  await scene.peer.mesh.call('connect', { remote_multiaddr: scene.owner.address });
  scene.foreign = (await scene.owner.mesh.call('submit', { task_type: 'foreign', delay_s: 3600 })).task_id;
  const { task_id } = await scene.peer.mesh.call('submit', {
    task_type: 'own',
    delay_s: 3600,
    remote_peer_id: scene.owner.peerId,
  });
  scene.own = task_id;
});

grants.after(async ({ mesh, owner, peer }) => {
  await peer[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
});

type Call = (mesh: Mesh, scene: Scene) => Promise<unknown>;
const at = ({ owner }: Scene) => ({ remote_peer_id: owner.peerId });

const calls = {
  'submit x': (m, s) => m.call('submit', { task_type: 'x', delay_s: 3600, ...at(s) }),
  'submit y': (m, s) => m.call('submit', { task_type: 'y', delay_s: 3600, ...at(s) }),
  'submit x and y': (m, s) =>
    m.call('submit_many', { tasks: [{ task_type: 'x', delay_s: 3600 }, { task_type: 'y' }], ...at(s) }),
  'claim x': (m, s) => m.call('claim', { supported_task_types: ['x'], ...at(s) }),
  'claim x or y': (m, s) => m.call('claim', { supported_task_types: ['x', 'y'], ...at(s) }),
  'claim y': (m, s) => m.call('claim', { supported_task_types: ['y'], ...at(s) }),
  'claim any': (m, s) => m.call('claim', at(s)),
  'see own': (m, s) => m.call('get', { task_id: s.own }),
  'see foreign': (m, s) => m.call('get', { task_id: s.foreign }),
  'wait own': (m, s) => m.call('wait', { task_id: s.own, timeout_s: 0 }),
  'wait foreign': (m, s) => m.call('wait', { task_id: s.foreign, timeout_s: 0 }),
  'cancel own': (m, s) => m.call('cancel', { task_id: s.own }),
  'retry own': (m, s) => m.call('retry', { task_id: s.own, delay_s: 3600 }),
  'cancel foreign': (m, s) => m.call('cancel', { task_id: s.foreign }),
  'retry foreign': (m, s) => m.call('retry', { task_id: s.foreign, delay_s: 3600 }),
  list: (m, s) => m.call('list', at(s)),
  'tool add': (m, s) => m.call('call_tool', { tool_name: 'add', ...at(s) }),
  'tool sub': (m, s) => m.call('call_tool', { tool_name: 'sub', ...at(s) }),
  'read a/1': (m, s) => m.call('cache_get', { key: 'a/1', ...at(s) }),
  'has b/1': (m, s) => m.call('cache_has', { key: 'b/1', ...at(s) }),
  'write a/1': (m, s) => m.call('cache_set', { key: 'a/1', value: 1, ...at(s) }),
  'delete b/1': (m, s) => m.call('cache_delete', { key: 'b/1', ...at(s) }),
  status: (m, s) => m.call('status', at(s)),
} as const satisfies Record<string, Call>;
type CallName = keyof typeof calls;

const table: [grant: Partial<Grant>, allowed: CallName[], refused: CallName[]][] = [
  [{}, ['status'], (Object.keys(calls) as CallName[]).filter((name) => name !== 'status')],
  [{ submit: ['x'] }, ['submit x'], ['submit y', 'submit x and y']],
  [{ submit: ['*'] }, ['submit x', 'submit x and y'], ['claim x', 'see own']],
  [{ work: ['x'] }, ['claim x', 'claim x or y', 'claim any'], ['claim y', 'submit x']],
  [{ work: ['*'] }, ['claim y', 'claim any'], ['see own']],
  [{ see: 'own' }, ['see own', 'wait own', 'list'], ['see foreign', 'wait foreign', 'cancel own']],
  [{ see: 'all' }, ['see own', 'see foreign', 'wait foreign', 'list'], ['cancel own']],
  [{ cancel: 'own' }, ['cancel own', 'retry own'], ['cancel foreign', 'retry foreign', 'see own']],
  [{ cancel: 'all' }, ['cancel own', 'retry own', 'cancel foreign', 'retry foreign'], ['see foreign']],
  [{ tools: ['add'] }, ['tool add'], ['tool sub']],
  [{ tools: ['*'] }, ['tool add', 'tool sub'], ['submit x']],
  [{ cache_read: ['a/'] }, ['read a/1'], ['has b/1', 'write a/1']],
  [{ cache_read: ['*'] }, ['read a/1', 'has b/1'], ['write a/1']],
  [{ cache_write: ['a/'] }, ['write a/1'], ['delete b/1', 'read a/1']],
  [{ cache_write: ['*'] }, ['write a/1', 'delete b/1'], ['read a/1']],
];

/** The node has read the new grant when it answers as it should; the first call of each row waits for that. */
async function settled(scene: Scene, call: CallName, allowed: boolean): Promise<void> {
  await until(async () => (await outcome(scene, call)) === (allowed ? 'ok' : 'unauthorized'));
}

function outcome(scene: Scene, call: CallName): Promise<string> {
  return (calls[call] as Call)(scene.peer.mesh, scene).then(
    () => 'ok',
    (error) => error.code,
  );
}

for (const [grant, allowed, refused] of table) {
  grants(
    `${JSON.stringify(grant)} allows ${allowed.join(', ')}; not ${refused.slice(0, 4).join(', ')}`,
    async (scene) => {
      await list(scene.owner, scene.peer, { ...noGrant, ...grant });
      const [first] = refused;
      if (first !== undefined) await settled(scene, first, false);
      for (const call of allowed) await settled(scene, call, true);
      for (const call of refused) assert.is(await outcome(scene, call), 'unauthorized', call);
    },
  );
}

grants('a refusal names the field of the grant; status tells only of tools that may be called', async (scene) => {
  await list(scene.owner, scene.peer, { ...noGrant, tools: ['add'] });
  await settled(scene, 'tool add', true);
  const error = await failureOf(calls['tool sub'](scene.peer.mesh, scene));
  assert.equal(error.details, { grant: 'tools', value: 'sub' });
  assert.equal((await scene.peer.mesh.call('status', at(scene))).capabilities.tools, ['add']);
  assert.equal((await scene.owner.mesh.call('status', {})).capabilities.tools, ['add', 'sub']);
});

grants('see: own shows a worker the task that it holds, until it gives it back', async (scene) => {
  const { owner, peer } = scene;
  await list(owner, peer, { ...noGrant, work: ['held'], see: 'own' });
  await settled(scene, 'wait own', true);
  const { task_id } = await owner.mesh.call('submit', { task_type: 'held' });
  const { task } = await peer.mesh.call('claim', { supported_task_types: ['held'], ...at(scene) });
  assert.is(task?.task_id, task_id);
  assert.is((await peer.mesh.call('get', { task_id })).task.status, 'running');
  const listed = (await peer.mesh.call('list', at(scene))).tasks.map((each) => each.task_id);
  assert.ok(listed.includes(task_id) && listed.includes(scene.own));
  assert.not.ok(listed.includes(scene.foreign));
  await peer.mesh.call('release', { task_id, fence: task?.fence ?? 0 });
  assert.is((await failureOf(peer.mesh.call('get', { task_id }))).code, 'unauthorized');
});

grants('the rate of a grant holds, and a wait that is not allowed any more ends', async (scene) => {
  const { owner, peer } = scene;
  await list(owner, peer, { ...noGrant, work: ['*'], see: 'all' });
  await settled(scene, 'see foreign', true);
  const wait = failureOf(peer.mesh.call('wait', { task_id: scene.foreign, timeout_s: 60 }));
  const claim = failureOf(peer.mesh.call('claim', { supported_task_types: ['no'], wait_s: 60, ...at(scene) }));
  await until(async () => (await owner.mesh.call('status', { detail: true })).detail?.waiters === 2);
  await list(owner, peer, { ...noGrant, see: 'own', requests_per_second: 1 });
  assert.equal([(await wait).details?.grant, (await claim).details?.grant], ['see', 'work']);
  const codes = new Set<string>();
  for (let i = 0; i < 10; i++) codes.add(await outcome(scene, 'status'));
  assert.ok(codes.has('rate_limited'));
});

grants('who one is, the connection says: claims in the body give no rights', async () => {
  await using owner = await startNode({ defaultGrant: { ...noGrant, submit: ['*'], see: 'own', work: ['*'] } });
  await using honest = await startNode();
  const { rawHost } = await import('../support.ts');
  await using liar = await rawHost([]);
  const { task_id } = await honest.mesh.call('submit', { task_type: 't', remote_multiaddr: owner.address });
  const { task } = await honest.mesh.call('claim', { remote_peer_id: owner.peerId });
  const carriage = await rawCarriage(liar, owner.address);
  const ask = async (name: string, args: Record<string, unknown>): Promise<unknown> =>
    (await carriage.request('tools/call', { name, arguments: args, peer_id: honest.peerId, session: honest.peerId }))
      ?.result?.structuredContent?.error;
  assert.is(await ask('p2p_taskqueue_get_task', { task_id }), 'unauthorized');
  const lease = { task_id, fence: task?.fence };
  assert.is(await ask('p2p_taskqueue_complete_task', { ...lease, result: 'forged' }), 'stale_fence');
  const worker = await carriage.request('tools/call', {
    name: 'p2p_taskqueue_claim_next',
    arguments: { worker_id: honest.peerId, supported_task_types: ['t'] },
  });
  assert.is(worker?.result?.structuredContent?.task, null);
  await honest.mesh.call('complete', { task_id, fence: task?.fence ?? 0, result: 'true' });
});

grants.run();
