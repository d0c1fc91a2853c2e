import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { type Grant, noGrant } from '../../../src/mesh/grant.ts';
import type { Mesh } from '../../../src/mesh/mesh.ts';
import type { OperationOutput } from '../../../src/mesh/operations.ts';
import { suite } from '../../tooling/suite.ts';
import { failureOf, rawCarriage, startNode, statusOf, type TestNode, until } from '../support.ts';
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

let marks = 0;

/** Gives the peer the grant, and waits until the node has read it. */
async function holds({ owner, peer }: Scene, grant: Partial<Grant>): Promise<void> {
  const key = `mark/${++marks}`;
  await list(owner, peer, { ...noGrant, ...grant, cache_write: [key] });
  const marked = () => peer.mesh.call('cache_delete', { key, remote_peer_id: owner.peerId });
  await until(() =>
    marked().then(
      () => true,
      () => false,
    ),
  );
}

grants(
  'a refusal says which command adds what is missing, on which machine, with both peer ids in it',
  async (scene) => {
    const { owner, peer } = scene;
    await holds(scene, { submit: ['a', 'b'], see: 'own', cancel: 'own' });
    const there = `On the machine of ${owner.peerId} run: taskmesh grant ${peer.peerId} --add `;
    const rows: [call: () => Promise<unknown>, words: string][] = [
      [() => peer.mesh.call('submit', { task_type: 'c', ...at(scene) }), 'submit:c'],
      [() => peer.mesh.call('claim', at(scene)), 'work'],
      [() => peer.mesh.call('claim', { supported_task_types: ['c', 'd'], ...at(scene) }), 'work:c,work:d'],
      [() => peer.mesh.call('get', { task_id: scene.foreign }), 'see:all'],
      [() => peer.mesh.call('cancel', { task_id: scene.foreign }), 'cancel:all'],
      [() => peer.mesh.call('cache_get', { key: 'k/1', ...at(scene) }), 'cache_read:k/1'],
      [() => peer.mesh.call('call_tool', { tool_name: 'add', ...at(scene) }), 'tools:add'],
      // Whoever reads this in a log shall be able to paste it.
      [() => peer.mesh.call('submit', { task_type: '$(reboot);&', ...at(scene) }), "'submit:$(reboot);&'"],
    ];
    for (const [call, words] of rows) {
      const { message } = await failureOf(call());
      assert.ok(message.endsWith(`${there}${words}`), message);
    }
    for (const task_type of ["it's", 'a b', 'a,b', 'a\u202eb', 'a\nb']) {
      const { message } = await failureOf(peer.mesh.call('submit', { task_type, ...at(scene) }));
      assert.ok(message.endsWith(`all can be allowed: taskmesh grant ${peer.peerId} --add submit`), message);
    }
  },
);

grants('a claim of several types that gets nothing says which were refused by whom', async (scene) => {
  const { owner, peer } = scene;
  await holds(scene, { work: ['b'] });
  await list(peer, owner);
  await until(async () => (await statusOf(peer)).detail.trust?.listed === 1);
  const asked = { supported_task_types: ['b', 'a', 'c'] };
  const known = (output: OperationOutput<'claim'>): unknown[] =>
    (output.refused ?? []).map(({ peer_id, task_types }) => [peer_id, task_types]);
  const named = await peer.mesh.call('claim', { ...asked, ...at(scene) });
  assert.equal([named.task, known(named)], [null, [[owner.peerId, ['a', 'c']]]]);
  assert.match(named.refused?.[0]?.message ?? '', `taskmesh grant ${peer.peerId} --add work:a,work:c`);
  assert.equal(known(await peer.mesh.call('claim', asked)), [[owner.peerId, ['a', 'c']]]);
  assert.equal(known(await peer.mesh.call('claim', { supported_task_types: ['a'] })), [[owner.peerId, ['a']]]);
  assert.is((await peer.mesh.call('claim', { supported_task_types: ['b'] })).refused, undefined);
  assert.is((await peer.mesh.call('claim', {})).refused, undefined);
  await holds(scene, {});
  assert.equal(known(await peer.mesh.call('claim', {})), [[owner.peerId, []]]);
});

grants('a peer learns of no tool that it may not call', async (scene) => {
  const { owner, peer } = scene;
  await holds(scene, { work: ['x'], tools: ['add', 'ghost'] });
  const told = (tool: string): Promise<string> =>
    failureOf(peer.mesh.call('call_tool', { tool_name: tool, ...at(scene) })).then(
      ({ code, message }) => `${code}: ${message.replaceAll(tool, 'TOOL')}`,
    );
  assert.is(await told('sub'), await told('nothing'));
  const overMcp = async (tool: string): Promise<string> => {
    const params = { name: tool };
    const { result } = await peer.mesh.call('mcp_request', { method: 'tools/call', params, ...at(scene) });
    return JSON.stringify(result).replaceAll(tool, 'TOOL');
  };
  assert.is(await overMcp('sub'), await overMcp('nothing'));
  assert.match(await overMcp('sub'), 'unauthorized');
  const ghost = await failureOf(peer.mesh.call('call_tool', { tool_name: 'ghost', ...at(scene) }));
  assert.equal([ghost.code, ghost.details], ['unknown_tool', { tools: ['add'] }]);
  assert.match((await failureOf(owner.mesh.call('call_tool', { tool_name: 'ghost' }))).message, 'add, sub');
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
