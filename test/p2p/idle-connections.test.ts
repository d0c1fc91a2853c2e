import * as assert from 'uvu/assert';
import { suite } from '../tooling/suite.ts';
import { connect, rawCarriage, rawHost, startNode, until } from './support.ts';

const idle = suite('idle connections');

idle('a connection that nobody uses is closed; one with a stream, and a node of the mesh, stay', async () => {
  await using node = await startNode({ limits: { connectionIdleMs: 400 } });
  await using quiet = await rawHost([]);
  await using asking = await rawHost([]);
  await using member = await startNode();
  await connect(member, node);
  const carriage = await rawCarriage(asking, node.address);
  (await rawCarriage(quiet, node.address)).stream.abort(new Error('done'));
  assert.is(quiet.getConnections().length, 1);
  await until(() => quiet.getConnections().length === 0);
  const { peers } = await node.mesh.call('peers', { connected_only: true });
  assert.equal(peers.map(({ peer_id }) => peer_id).sort(), [asking.peerId.toString(), member.peerId].sort());
  assert.ok((await carriage.request('server/discover'))?.result);
  carriage.stream.abort(new Error('done'));
});

idle.run();
