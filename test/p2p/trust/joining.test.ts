import * as assert from 'uvu/assert';
import { defaultGrant } from '../../../src/mesh/grant.ts';
import { suite } from '../../tooling/suite.ts';
import { failureOf, type TestNode, until } from '../support.ts';
import { invite, joinOutcome, list, redeem, revoke, testMesh, trustOf } from './support.ts';

const joining = suite('joining by a ticket');

const isServed = (by: TestNode, who: TestNode): Promise<boolean> =>
  who.mesh.call('status', { remote_multiaddr: by.address }).then(
    () => true,
    () => false,
  );

joining('the bearer is listed with the ticket’s grant, and the inviter at the bearer', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  const ticket = await invite(a, { grant: { submit: ['x'], cancel: 'none' } });
  await redeem(b, ticket);
  assert.is(await joinOutcome(b, ticket), undefined);
  const entry = await trustOf(a).peers.get(b.peerId);
  assert.equal(entry?.grant, { ...defaultGrant, submit: ['x'], cancel: 'none' });
  assert.is(entry?.ticket, ticket.id);
  assert.ok((await b.mesh.call('submit', { task_type: 'x', remote_peer_id: a.peerId })).task_id);
  const refused = await failureOf(b.mesh.call('submit', { task_type: 'y', remote_peer_id: a.peerId }));
  assert.equal([refused.code, refused.details], ['unauthorized', { grant: 'submit', value: 'y' }]);
  assert.ok((await a.mesh.call('submit', { task_type: 'any', remote_peer_id: b.peerId })).task_id);
});

joining('a ticket that waits is shown when the node starts', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  const ticket = await invite(a);
  const folder = mesh.folder.file('joiner');
  {
    await using b = await mesh.start({ dataFolder: folder });
    await b.node.stop();
    await redeem(b, ticket);
  }
  await using b = await mesh.start({ dataFolder: folder });
  assert.is(await joinOutcome(b, ticket), undefined);
  assert.ok(await isServed(a, b));
});

joining('a ticket for one machine is good once', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using c = await mesh.start();
  const ticket = await invite(a);
  await redeem(b, ticket);
  assert.is(await joinOutcome(b, ticket), undefined);
  await redeem(c, ticket);
  assert.match((await joinOutcome(c, ticket)) ?? '', 'used before');
  assert.not.ok(await isServed(a, c));
  const many = await invite(a, { once: false });
  for (const node of [b, c]) {
    await redeem(node, many);
    assert.is(await joinOutcome(node, many), undefined);
  }
});

joining('files of tickets that expired long ago, or are shown after their time, are removed', async () => {
  await using mesh = await testMesh();
  const folder = mesh.folder.file('inviter');
  let old: string;
  {
    await using a = await mesh.start({ dataFolder: folder });
    await a.node.stop();
    old = (await invite(a, { expiresAt: 1_000 })).id;
  }
  await using a = await mesh.start({ dataFolder: folder });
  await using b = await mesh.start();
  const { tickets } = trustOf(a);
  assert.is(await tickets.get(old), undefined);
  const late = await invite(a, { expiresAt: Date.now() / 1000 - 10 });
  await redeem(b, late);
  assert.match((await joinOutcome(b, late)) ?? '', 'expired');
  await until(async () => (await tickets.get(late.id)) === undefined);
});

joining('an expired ticket, one with another secret, and one of another inviter are refused', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using other = await mesh.start();
  const expired = await invite(a, { expiresAt: Date.now() / 1000 - 10 });
  const good = await invite(a);
  const secret = Buffer.from('0123456789abcdef').toString('base64url');
  const foreign = { ...(await invite(other)), inviter: a.peerId, addresses: [a.address] };
  for (const [ticket, why] of [
    [expired, 'expired'],
    [{ ...good, secret }, 'tampered'],
    [foreign, 'does not know this ticket'],
  ] as const) {
    await redeem(b, ticket);
    assert.match((await joinOutcome(b, ticket)) ?? '', why);
  }
  assert.not.ok(await isServed(a, b));
  assert.ok(await trustOf(a).tickets.get(good.id), 'the good one is still there');
});

joining('who was shut out does not come in again by a ticket', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await revoke(a, b);
  const ticket = await invite(a);
  await redeem(b, ticket);
  assert.match((await joinOutcome(b, ticket)) ?? '', 'shut this node');
  assert.ok(await trustOf(a).tickets.get(ticket.id), 'the ticket was not used up');
});

joining('a third node serves whom its introducer invited, within the introducer’s own grant', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using c = await mesh.start();
  const ticket = await invite(a, { grant: { tools: ['*'] } });
  await redeem(b, ticket);
  assert.is(await joinOutcome(b, ticket), undefined);
  await until(async () => (await trustOf(b).memberships.get(a.peerId)) !== undefined);

  await list(c, a, { introduce: false });
  assert.is((await failureOf(b.mesh.call('connect', { remote_multiaddr: c.address }))).code, 'unauthorized');
  await list(c, a, { introduce: true, work: ['only'] });
  await until(() => isServed(c, b));
  const { task_id } = await b.mesh.call('submit', { task_type: 't', remote_peer_id: c.peerId });
  assert.ok(task_id);
  const claim = await failureOf(b.mesh.call('claim', { supported_task_types: ['t'], remote_peer_id: c.peerId }));
  assert.is(claim.details?.grant, 'work', 'nobody hands on more than they have');
  const tool = await failureOf(b.mesh.call('call_tool', { tool_name: 'x', remote_peer_id: c.peerId }));
  assert.is(tool.details?.grant, 'tools');

  await list(c, a, { introduce: false });
  await until(async () => !(await isServed(c, b)));
});

joining('a membership is no use to anybody else', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using thief = await mesh.start();
  await using c = await mesh.start();
  const ticket = await invite(a);
  await redeem(b, ticket);
  assert.is(await joinOutcome(b, ticket), undefined);
  await until(async () => (await trustOf(b).memberships.get(a.peerId)) !== undefined);
  const stolen = await trustOf(b).memberships.get(a.peerId);
  if (stolen !== undefined) await trustOf(thief).memberships.put(stolen);
  await list(c, a, { introduce: true });
  assert.not.ok(await isServed(c, thief));
  assert.ok(await isServed(c, b));
});

joining('who joins while others are connected already is served by them, whoever had dialled', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using c = await mesh.start();
  const [first, second] = [await invite(a), await invite(a)];
  await redeem(b, first);
  assert.is(await joinOutcome(b, first), undefined);
  await list(c, a, { introduce: true });
  await until(() => isServed(c, b));
  assert.is((await failureOf(c.mesh.call('submit', { remote_peer_id: b.peerId }))).code, 'unauthorized');
  const claim = b.mesh.call('claim', { supported_task_types: ['t'], wait_s: 60 });
  const { task_id } = await c.mesh.call('submit', { task_type: 't' });
  await redeem(c, second);
  assert.is(await joinOutcome(c, second), undefined);
  assert.is((await claim).task?.task_id, task_id);
});

joining('whom the introducer shuts out, the third node shuts out too', async () => {
  await using mesh = await testMesh();
  await using a = await mesh.start();
  await using b = await mesh.start();
  await using c = await mesh.start();
  const ticket = await invite(a);
  await redeem(b, ticket);
  assert.is(await joinOutcome(b, ticket), undefined);
  await until(async () => (await trustOf(b).memberships.get(a.peerId)) !== undefined);
  await list(c, a, { introduce: true });
  await list(a, c);
  assert.ok(await isServed(c, b));
  await a.mesh.call('connect', { remote_multiaddr: c.address });
  const wait = failureOf(b.mesh.call('claim', { supported_task_types: ['t'], wait_s: 60, remote_peer_id: c.peerId }));
  await revoke(a, b);
  assert.is((await wait).code, 'unauthorized');
  assert.not.ok(await isServed(c, b));
});

joining.run();
