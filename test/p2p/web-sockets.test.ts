import { createServer } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';
import * as assert from 'uvu/assert';
import { WebSocket as QuickWebSocket } from 'ws';
import { parseDialAddress, parseListenAddress } from '../../src/p2p/reach/addresses.ts';
import { quickWebSockets, uriOf } from '../../src/p2p/reach/quick-web-sockets.ts';
import { suite } from '../tooling/suite.ts';
import { failureOf, startNode, statusOf } from './support.ts';

const peer = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';

const sockets = suite('WebSockets');

sockets('the dialled socket is the quick one, on both runtimes', async () => {
  await using b = await startNode({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] });
  const [address = ''] = b.node.addresses;
  const log = Object.assign(() => {}, { error() {}, trace() {}, enabled: false });
  const scoped = Object.assign(log, { newScope: () => scoped });
  const components = { logger: { forComponent: () => scoped }, events: new EventTarget() };
  const create = quickWebSockets() as unknown as (parts: unknown) => {
    _connect(address: unknown, options: { signal: AbortSignal }): Promise<WebSocket>;
  };
  const socket = await create(components)._connect(multiaddr(address), { signal: new AbortController().signal });
  assert.ok((socket as unknown) instanceof QuickWebSocket);
  assert.is(socket.binaryType, 'arraybuffer');
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve));
  // libp2p's way to cut a connection: a code that may not be sent.
  socket.close(1006);
  await closed;
});

sockets('a task goes over WebSockets, and through a reverse proxy in front of them', async () => {
  await using b = await startNode({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] });
  const [address = ''] = b.node.addresses;
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1]);
  // As nginx or Caddy do it: HTTP to the outside, the upgraded bytes passed on as they come.
  const proxy = createServer();
  proxy.on('upgrade', (request, outside, head) => {
    const inside = connectTcp(port, '127.0.0.1', () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
      inside.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
      inside.write(head);
      inside.pipe(outside).pipe(inside);
    });
    inside.on('error', () => outside.destroy());
    outside.on('error', () => inside.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const proxied = `/ip4/127.0.0.1/tcp/${(proxy.address() as AddressInfo).port}/ws/p2p/${b.peerId}`;
  try {
    for (const way of [address, proxied]) {
      await using a = await startNode({ listen: [] });
      const { multiaddr: used } = await a.mesh.call('connect', { remote_multiaddr: way });
      assert.is(used, way);
      const payload = { text: 'x'.repeat(300_000) };
      const { task_id } = await a.mesh.call('submit', { task_type: 't', payload, remote_peer_id: b.peerId });
      assert.is((await b.mesh.call('claim', {})).task?.task_id, task_id);
    }
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

sockets('an address where no WebSocket answers is said to be out of reach', async () => {
  await using plain = await startNode();
  await using a = await startNode();
  const ws = plain.address.replace('/p2p/', '/ws/p2p/');
  const failure = await failureOf(a.mesh.call('connect', { remote_multiaddr: ws, timeout_s: 8 }));
  assert.is(failure.code, 'peer_unreachable');
});

sockets('addresses become the URIs that proxies expect', () => {
  const uris = {
    '/ip4/1.2.3.4/tcp/80/ws': 'ws://1.2.3.4:80',
    '/ip6/::1/tcp/8080/ws': 'ws://[::1]:8080',
    '/dns4/node.example/tcp/443/wss': 'wss://node.example:443',
    '/dns/node.example/tcp/443/tls/ws': 'wss://node.example:443',
  };
  for (const [address, uri] of Object.entries(uris)) {
    assert.is(uriOf(parseDialAddress(`${address}/p2p/${peer}`).address), uri);
  }
});

sockets('what is dialled and listened on is TCP, WebSockets, and what a relay carries; TLS is a proxy’s', () => {
  const relayed = `/ip4/1.2.3.4/tcp/80/p2p/${peer}/p2p-circuit/p2p/${peer}`;
  assert.is(parseDialAddress(relayed).address.toString(), relayed);
  for (const bad of [
    `/ip4/1.2.3.4/udp/80/quic-v1/p2p/${peer}`,
    '/ip4/1.2.3.4/tcp/80',
    `/p2p/${peer}/p2p-circuit/p2p/${peer}`,
    `/ip4/1.2.3.4/tcp/80/p2p-circuit/p2p/${peer}`,
    `${relayed}/p2p-circuit/p2p/${peer}`,
  ]) {
    assert.throws(() => parseDialAddress(bad), /cannot be used as a multiaddr/, bad);
  }
  assert.throws(() => parseListenAddress('/ip4/0.0.0.0/tcp/443/wss'), /listened on/);
});

sockets('a node tells others of the address that it is given to announce', async () => {
  await using a = await startNode({ announce: ['/dns4/node.example/tcp/443/wss'] });
  assert.ok(a.node.addresses.includes(`/dns4/node.example/tcp/443/wss/p2p/${a.peerId}`));
  assert.is((await statusOf(a)).reachability?.nat, 'public');
});

sockets.run();
