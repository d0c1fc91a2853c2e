import { writeFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { defaultGrant } from '../../src/mesh/grant.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { connect, rawCarriage, rawHost, request, startNode, until } from './support.ts';

/** A tool that holds what it is given until it is told to let go, and one that counts. */
const source = `
let now = 0, most = 0, served = 0;
let letGo;
const gate = new Promise((resolve) => { letGo = resolve; });
export default {
  hold: { description: 'Holds.', run: async () => { most = Math.max(most, ++now); await gate; now--; served++; return 0; } },
  letGo: { description: 'Lets go.', run: () => letGo() },
  counts: { description: 'Counts.', run: () => ({ now, most, served }) },
};
`;

const value = 'x'.repeat(500_000);

const bulk = suite('bulk between peers');

bulk('a small request to a peer overtakes the large ones that wait for it, in both directions', async () => {
  await using a = await startNode();
  await using b = await startNode();
  await connect(a, b);
  const order: string[] = [];
  const ended = (what: string) => () => order.push(what);
  const remote_peer_id = b.peerId;
  const sets = Array.from({ length: 16 }, (_, index) =>
    a.mesh.call('cache_set', { key: `k${index}`, value, remote_peer_id }).then(ended('set')),
  );
  await Promise.all([...sets, a.mesh.call('cache_has', { key: 'x', remote_peer_id }).then(ended('has'))]);
  assert.ok(order.indexOf('has') < order.lastIndexOf('set') - 8, order.join(' '));

  order.length = 0;
  const gets = Array.from({ length: 16 }, (_, index) =>
    a.mesh.call('cache_get', { key: `k${index}`, remote_peer_id }).then(({ value: got }) => {
      assert.is(got, value);
      order.push('get');
    }),
  );
  await Promise.all([...gets, a.mesh.call('cache_has', { key: 'x', remote_peer_id }).then(ended('has'))]);
  assert.ok(order.indexOf('has') < order.lastIndexOf('get') - 8, order.join(' '));
});

bulk('two nodes that send each other bulk do not block each other', async () => {
  await using a = await startNode();
  await using b = await startNode();
  await connect(a, b);
  const both = [
    [a, b.peerId],
    [b, a.peerId],
  ] as const;
  await Promise.all(
    both.flatMap(([from, remote_peer_id]) =>
      Array.from({ length: 48 }, async (_, index) => {
        await from.mesh.call('cache_set', { key: `k${index % 8}`, value, remote_peer_id });
        assert.is((await from.mesh.call('cache_get', { key: `k${index % 8}`, remote_peer_id })).value, value);
      }),
    ),
  );
});

bulk('a peer that sends bulk faster than it is served is slowed down, and others are served meanwhile', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('tools.mjs'), source);
  await using node = await startNode({
    toolsModule: folder.file('tools.mjs'),
    defaultGrant: { ...defaultGrant, tools: ['*'] },
    limits: { maxPeerServingBytes: 1_200_000, maxFrameBytes: 1_000_000 },
  });
  const count = async (): Promise<{ now: number; most: number; served: number }> => {
    const { result } = await node.mesh.call('call_tool', { tool_name: 'counts' });
    return result as { now: number; most: number; served: number };
  };
  await using flood = await rawHost([]);
  const carriage = await rawCarriage(flood, node.address);
  const call = { name: 'p2p_taskqueue_call_tool', arguments: { tool_name: 'hold', args: { value } } };
  const total = 24;
  for (let id = 1; id <= total; id++) carriage.send({ ...request('tools/call', call), id });
  await until(async () => (await count()).now === 2);
  assert.ok(carriage.stream.writeBufferLength > 4_000_000, 'most of it has not left the peer');

  await using other = await startNode();
  assert.is((await other.mesh.call('status', { remote_multiaddr: node.address })).peer_id, node.peerId);

  await node.mesh.call('call_tool', { tool_name: 'letGo' });
  const codes = [];
  for (let index = 0; index < total; index++) {
    const answer = await carriage.next();
    codes.push(answer?.error?.code ?? answer?.result?.structuredContent?.ok);
  }
  // On a machine that stood still for seconds, some may have been refused as busy.
  assert.ok(
    codes.every((code) => code === true || code === -32000),
    codes.join(' '),
  );
  const { most, served } = await count();
  assert.is(most, 2);
  assert.is(served, codes.filter((code) => code === true).length);
  carriage.stream.abort(new Error('done'));
});

bulk.run();
