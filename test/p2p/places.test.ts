import { createServer, type Server, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import type { OperationOutput } from '../../src/mesh/operations.ts';
import { suite } from '../tooling/suite.ts';
import { connect, failureOf, startNode, type TestNode, until } from './support.ts';

const places = suite('several places of one peer');

type Row = OperationOutput<'discover'>['attempts'][number];

interface Silent extends AsyncDisposable {
  port: number;
}

/** Takes connections and says nothing. */
async function silent(): Promise<Silent> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function rows(at: TestNode, method: string, remote_multiaddr = '', timeout_s = 5): Promise<Row[]> {
  const { attempts } = await at.mesh.call('discover', { remote_multiaddr, timeout_s });
  return attempts.filter((row) => row.method === method);
}

places('a place that says nothing does not keep the peer from being found at its other one', async () => {
  await using mute = await silent();
  await using b = await startNode();
  const bad = `/ip4/127.0.0.1/tcp/${mute.port}/p2p/${b.peerId}`;
  await using a = await startNode({ bootstrap: [bad, b.address] });
  const found = await rows(a, 'bootstrap');
  assert.equal(
    found.map(({ outcome, multiaddr }) => [outcome, multiaddr]),
    [
      ['connected', b.address],
      ['connected', b.address],
    ],
  );
  for (const { duration_ms } of found) assert.ok(duration_ms < 3_000, `${duration_ms} ms`);
});

places('a place that says nothing is told with the time that it really took', async () => {
  await using mute = await silent();
  await using b = await startNode();
  const bad = `/ip4/127.0.0.1/tcp/${mute.port}/p2p/${b.peerId}`;
  await using a = await startNode({ bootstrap: [bad] });
  for (const [row] of [await rows(a, 'bootstrap', '', 1), await rows(a, 'explicit', bad, 2)]) {
    assert.is(row?.error, `timeout: It did not answer within ${Math.round(row?.duration_ms ?? 0)} ms.`);
  }
});

places('an address that is named is the one that is tried, whatever the peer is connected by', async () => {
  await using b = await startNode({ listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] });
  await using a = await startNode();
  await connect(a, b);
  const nobody = `/ip4/127.0.0.1/tcp/9/p2p/${b.peerId}`;
  const [dead] = await rows(a, 'explicit', nobody);
  assert.equal([dead?.outcome, dead?.multiaddr], ['failed', nobody]);
  assert.match(dead?.error ?? '', `It is connected all the same, by ${b.address}`);
  const ws = b.node.addresses.find((address) => address.includes('/ws/')) ?? '';
  for (const address of [ws, b.address]) {
    const [row] = await rows(a, 'explicit', address);
    assert.equal([row?.outcome, row?.multiaddr, row?.error], ['connected', address, '']);
  }
  // What was dialled to find out is not left open.
  await until(async () => (await b.mesh.call('status', { detail: true })).detail?.peers?.[0]?.connections === 1);
});

places('the side that was dialled tells where its peer can be dialled, and not the port it came from', async () => {
  await using b = await startNode();
  await using a = await startNode();
  await connect(b, a);
  const { peers } = await a.mesh.call('peers', {});
  assert.equal([peers[0]?.direction, peers[0]?.addresses], ['inbound', [b.address]]);
  assert.is((await a.mesh.call('connect', { remote_peer_id: b.peerId })).multiaddr, b.address);
  await using deaf = await startNode({ listen: [] });
  await connect(deaf, a);
  assert.is((await a.mesh.call('connect', { remote_peer_id: deaf.peerId })).multiaddr, '');
});

places(
  'a bootstrap peer that does not run is told as one that cannot be reached, not as one that is unknown',
  async () => {
    const gone = await startNode();
    const { peerId, address } = gone;
    await gone[Symbol.asyncDispose]();
    await using a = await startNode({ bootstrap: [address] });
    const failure = await failureOf(a.mesh.call('connect', { remote_peer_id: peerId, timeout_s: 5 }));
    assert.is(failure.code, 'peer_unreachable', failure.message);
    assert.match(failure.message, 'Look whether it runs');
  },
);

places.run();
