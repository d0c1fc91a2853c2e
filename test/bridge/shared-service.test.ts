/** What happens when a P2P service of the operator's, or a server in front of it, ends or is cut off: real processes. */

import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import type { FarSideLife } from '../../src/bridge/far-side-life.ts';
import { greetService, serviceWay } from '../../src/bridge/service-way.ts';
import { runtime } from '../../src/mesh/build.ts';
import { parseRpcAddress, type RpcAddress } from '../../src/mesh/rpc-address.ts';
import { errorCode } from '../support/error-code.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { socketOf, startP2p } from './p2p-process.ts';
import { failureOf, server, startedServer } from './supervised-server.ts';

const address = (text: string | undefined): RpcAddress => parseRpcAddress(text ?? '') as RpcAddress;

async function greeted(at: RpcAddress): Promise<Pick<FarSideLife, 'near'> & AsyncDisposable> {
  const { signal } = new AbortController();
  const { near, stop } = await greetService(at, { token: undefined, onEvent() {}, signal });
  return { near, [Symbol.asyncDispose]: stop };
}

const shared = suite('a P2P service of the operator’s');

shared('its socket is for its owner alone and goes with it; its token stays, for its owner alone', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  const service = await startP2p({ data });
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  assert.equal([mode(data), mode(socketOf(data)), mode(service.tokenFile)], ['700', '600', '600']);
  assert.ok(service.token().length >= 43);
  const from = performance.now();
  service.signal('SIGTERM');
  assert.is(await service.exited, 0);
  assert.ok(performance.now() - from < 2_000);
  assert.not(existsSync(socketOf(data)));
  const before = service.token();
  await using again = await startP2p({ data });
  assert.is(again.token(), before);
});

shared('a second signal ends it at once, and leaves no socket', async () => {
  await using folder = await tempFolder();
  const service = await startP2p({ data: folder.file('node') });
  service.signal('SIGINT');
  service.signal('SIGTERM');
  assert.ok([0, 130, 143].includes((await service.exited) as number));
  assert.not(existsSync(socketOf(folder.file('node'))));
});

shared('two servers share it: tasks, events; when one goes, the other stays', async () => {
  await using folder = await tempFolder();
  await using service = await startP2p({
    data: folder.file('node'),
    rpcListen: [`unix:${folder.file('node/s')}`, 'http://127.0.0.1:0'],
  });
  const [unix, http] = service.rpc;
  await using one = await startedServer(serviceWay({ address: address(unix) }));
  await using two = await startedServer(serviceWay({ address: address(http), tokenFile: service.tokenFile }));
  const seen = Promise.withResolvers<string>();
  two.mesh.subscribe((event) => event.type === 'task' && seen.resolve(event.task_id));
  await two.mesh.call('status', {});
  const { task_id } = await one.mesh.call('submit', { task_type: 't', payload: 1 });
  assert.is(await seen.promise, task_id);
  assert.is((await two.mesh.call('claim', {})).task?.task_id, task_id);
  await one.running.stop();
  assert.is((await two.mesh.call('get', { task_id })).task.status, 'running');
});

shared('killed with -9 and back: calls fail meanwhile, then work again, and what was accepted is there', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  const service = await startP2p({ data });
  await using front = await startedServer(serviceWay({ address: address(service.rpc[0]) }), { restartMs: 50 });
  const { task_id } = await front.mesh.call('submit', { task_type: 't' });
  const waiting = errorCode(front.mesh.call('claim', { supported_task_types: ['none'], wait_s: 60 }));
  await front.mesh.call('status', {});
  service.signal('SIGKILL');
  assert.is(await waiting, 'mesh_down');
  await front.health('restarting');
  assert.is(await errorCode(front.mesh.call('status', {})), 'mesh_down');
  assert.match(front.running.health().last_error ?? '', 'ended');
  // The killed one has left its socket behind: the next one takes its place.
  assert.ok(existsSync(socketOf(data)));
  await using _again = await startP2p({ data });
  await front.health('up');
  assert.is((await front.mesh.call('get', { task_id })).task.status, 'queued');
  assert.is(front.running.health().restarts, 1);
});

shared('a server that is there first waits for it', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  await using front = server(serviceWay({ address: { kind: 'unix', path: socketOf(data) } }));
  const started = front.running.start();
  await using _service = await startP2p({ data });
  await started;
  assert.is(front.running.health().state, 'up');
});

shared('a server that waits in vain says what to start; one that is stopped meanwhile waits no longer', async () => {
  await using folder = await tempFolder();
  const nowhere = serviceWay({ address: { kind: 'unix', path: folder.file('none.sock') } });
  const error = await failureOf(server(nowhere, { startMs: 150 }).running.start());
  assert.is(error.code, 'mesh_down');
  assert.match(error.message, 'there is no such socket');
  assert.match(error.message, 'npm run start:p2p');
  const front = server(nowhere);
  const started = errorCode(front.running.start());
  await front.running.stop();
  assert.is(await started, 'mesh_down');
});

shared('a wrong token is refused at once, by either way; a missing file says which', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  await using service = await startP2p({ data, rpcListen: [`unix:${socketOf(data)}`, 'http://127.0.0.1:0'] });
  const tokenFile = folder.file('wrong.token');
  writeFileSync(tokenFile, 'x'.repeat(43));
  for (const rpc of service.rpc) {
    const error = await failureOf(server(serviceWay({ address: address(rpc), tokenFile })).running.start());
    assert.is(error.code, 'unauthorized');
    assert.match(error.message, '--p2p-token-file');
  }
  const http = address(service.rpc[1]);
  assert.is(await errorCode(server(serviceWay({ address: http })).running.start()), 'unauthorized');
  const late = serviceWay({ address: http, tokenFile: folder.file('late') });
  const missing = await failureOf(server(late, { startMs: 150 }).running.start());
  assert.is(missing.code, 'mesh_down');
  assert.match(missing.message, folder.file('late'));
  await using waiting = server(late);
  const started = waiting.running.start();
  writeFileSync(folder.file('late'), service.token());
  await started;
});

for (const [what, serve, why] of [
  ['says nothing', () => {}, 'does not answer'],
  ['ends the connection', (socket: Socket) => socket.end(), 'let nobody in and did not say why'],
] as const) {
  shared(`a service that ${what} is waited for, and named when it was in vain`, async () => {
    await using folder = await tempFolder();
    const path = folder.file('s');
    const sockets: Socket[] = [];
    const listener = createServer((socket) => {
      sockets.push(socket.on('error', () => {}).resume());
      serve(socket);
    });
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    const way = serviceWay({ address: { kind: 'unix', path } });
    const error = await failureOf(server(way, { startMs: 200 }).running.start());
    assert.equal([error.code, error.message.includes(path)], ['mesh_down', true]);
    assert.match(error.message, why);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
}

shared('something else that listens there is told apart from a service', async () => {
  const other = createHttpServer((_request, response) =>
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"ok":false,"error":"x","message":"mine"}'),
  );
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const way = serviceWay({ address: { kind: 'http', host: '127.0.0.1', port } });
  const error = await failureOf(server(way).running.start());
  assert.is(error.code, 'invalid_config');
  assert.match(error.message, 'no P2P service of taskmesh');
  await new Promise((resolve) => other.close(resolve));
});

shared('what a server of another build sends is checked by the service', async () => {
  await using folder = await tempFolder();
  await using service = await startP2p({ data: folder.file('node') });
  await using life = await greeted(address(service.rpc[0]));
  const odd = { task_type: 't', priority: 'abc' };
  assert.is(await errorCode(life.near.call('submit', odd as never)), 'invalid_params');
  const { task_id } = await life.near.call('submit', { task_type: 't' } as never);
  const waiting = new AbortController();
  const wait = errorCode(life.near.call('wait', { task_id } as never, { signal: waiting.signal }));
  waiting.abort();
  assert.is(await wait, 'cancelled');
});

shared('its socket deleted: who is connected stays connected, who comes hears what is wrong', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  await using service = await startP2p({ data });
  const way = serviceWay({ address: address(service.rpc[0]) });
  await using front = await startedServer(way);
  rmSync(socketOf(data));
  assert.is((await front.mesh.call('submit', { task_type: 't' })).status, 'queued');
  const error = await failureOf(server(way, { startMs: 100 }).running.start());
  assert.match(error.message, 'there is no such socket');
  assert.is(await service.stop(), 0);
});

shared('the same service on the other runtime serves as well', async () => {
  await using folder = await tempFolder();
  const other = runtime.name === 'node' ? 'deno' : 'node';
  await using service = await startP2p({ data: folder.file('node'), on: other });
  await using front = await startedServer(serviceWay({ address: address(service.rpc[0]) }));
  assert.is((await front.mesh.call('status', {})).runtime.name, other);
});

shared.run();
