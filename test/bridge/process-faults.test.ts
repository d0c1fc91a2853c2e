/** What happens to the layout `process` when things happen to its processes: real ones, on the runtime of the test. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { childWay } from '../../src/bridge/child-way.ts';
import type { FarSideWay } from '../../src/bridge/far-side-life.ts';
import type { Patience } from '../../src/bridge/patience.ts';
import { serviceWay } from '../../src/bridge/service-way.ts';
import { SupervisedMesh } from '../../src/bridge/supervised-mesh.ts';
import { runtime } from '../../src/mesh/build.ts';
import { checked } from '../../src/mesh/checked.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import type { BridgeHealth } from '../../src/mesh/health.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';
import { parseRpcAddress, type RpcAddress } from '../../src/mesh/rpc-address.ts';
import { errorCode } from '../support/error-code.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { isAlive, runtimeCommand, socketOf, startP2p, supervised } from './p2p-process.ts';

interface Server extends AsyncDisposable {
  running: SupervisedMesh;
  mesh: Mesh;
  /** Resolves when the health is, or becomes, so. */
  health(state: BridgeHealth['state']): Promise<void>;
}

function server(way: FarSideWay, patience: Partial<Patience> = {}): Server {
  const awaited = new Set<() => void>();
  const running = new SupervisedMesh(way, {
    patience: { checkEveryMs: 20, answerWithinMs: 200, ...patience },
    onHealth() {
      for (const look of awaited) look();
    },
    onDown: () => {},
  });
  return {
    running,
    mesh: checked(running),
    health: (state) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (running.health().state !== state) return;
          awaited.delete(look);
          resolve();
        };
        awaited.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

const address = (text: string | undefined): RpcAddress => parseRpcAddress(text ?? '') as RpcAddress;

async function startedServer(way: FarSideWay, patience?: Partial<Patience>): Promise<Server> {
  const made = server(way, patience);
  await made.running.start();
  return made;
}

function ownChild(dataFolder: string, pids: number[]): FarSideWay {
  return childWay({
    command: supervised,
    service: {
      node: { dataFolder, listen: [], bootstrap: [], mdns: false, layout: 'process' },
      rpc: [{ kind: 'unix', path: socketOf(dataFolder) }],
      logLevel: 'fatal',
    },
    onStarted: (pid) => pids.push(pid),
  });
}

async function failureOf(promise: Promise<unknown>): Promise<MeshError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
  throw new Error('It should have failed.');
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
  const missing = await failureOf(server(serviceWay({ address: http, tokenFile: folder.file('no') })).running.start());
  assert.is(missing.code, 'invalid_config');
  assert.match(missing.message, folder.file('no'));
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

const own = suite('a P2P service of the server’s own');

own('frozen: calls end at their deadlines and health says so; thawed, it goes on', async () => {
  await using folder = await tempFolder();
  const pids: number[] = [];
  await using front = await startedServer(ownChild(folder.file('node'), pids));
  const [pid = 0] = pids;
  process.kill(pid, 'SIGSTOP');
  const from = performance.now();
  assert.is(await errorCode(front.mesh.call('status', {}, { deadlineMs: 300 })), 'timeout');
  assert.ok(performance.now() - from < 2_000);
  await front.health('unresponsive');
  process.kill(pid, 'SIGCONT');
  await front.health('up');
  assert.is((await front.mesh.call('submit', { task_type: 't' })).status, 'queued');
  assert.equal([front.running.health().restarts, pids.length], [0, 1]);
});

own('frozen for too long, it is ended and started anew', async () => {
  await using folder = await tempFolder();
  const pids: number[] = [];
  await using front = await startedServer(ownChild(folder.file('node'), pids), { silentMs: 300 });
  const { task_id } = await front.mesh.call('submit', { task_type: 't' });
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  await front.health('restarting');
  assert.not(isAlive(pids[0] ?? 0));
  await front.health('up');
  assert.is((await front.mesh.call('get', { task_id })).task.status, 'queued');
  assert.is(pids.length, 2);
});

own('killed with -9: what is in flight fails at once, the next one goes on with the same queue', async () => {
  await using folder = await tempFolder();
  const pids: number[] = [];
  await using front = await startedServer(ownChild(folder.file('node'), pids));
  const { task_id } = await front.mesh.call('submit', { task_type: 't' });
  const inFlight = errorCode(front.mesh.call('claim', { supported_task_types: ['none'], wait_s: 60 }));
  await front.mesh.call('status', {});
  process.kill(pids[0] ?? 0, 'SIGKILL');
  assert.is(await inFlight, 'mesh_down');
  await front.health('restarting');
  await front.health('up');
  assert.is((await front.mesh.call('get', { task_id })).task.status, 'queued');
  assert.is(front.running.health().restarts, 1);
});

own('stopped frozen, it is killed, and its socket is removed for it', async () => {
  await using folder = await tempFolder();
  const data = folder.file('node');
  const pids: number[] = [];
  const front = await startedServer(ownChild(data, pids));
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  await front.running.stop();
  assert.not(isAlive(pids[0] ?? 0));
  assert.not(existsSync(socketOf(data)));
});

own('a command that cannot be started says so', async () => {
  await using folder = await tempFolder();
  const way = childWay({
    command: [folder.file('no-such-program')],
    service: {
      node: { dataFolder: folder.path, listen: [], bootstrap: [], mdns: false, layout: '' },
      rpc: [],
      logLevel: 'fatal',
    },
  });
  const error = await failureOf(server(way).running.start());
  assert.is(error.code, 'invalid_config');
  assert.match(error.message, 'could not be started');
});

/** The whole program, as a user starts it. */
async function program(data: string): Promise<{ child: ChildProcess; exited: Promise<unknown>; ownPid: number }> {
  const [command, ...args] = runtimeCommand(runtime.name, 'entrypoints/cli.ts');
  const flags = ['serve', '--layout', 'process', '--data', data, '--port', '0', '--no-mdns', '--log-level', 'fatal'];
  const child = spawn(command, [...args, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  for await (const line of createInterface({ input: child.stdout })) if (line.includes('Ctrl-C')) break;
  child.stdout.resume();
  const ownPid = childrenOf(child.pid as number)[0];
  if (ownPid === undefined) throw new Error(`No child: ${await exited}`);
  return { child, exited, ownPid };
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(join('/proc', pid, 'stat'), 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

/** It is nobody's child any more, so that nobody is told of its end. */
async function isGone(pid: number): Promise<void> {
  for (let turn = 0; isAlive(pid); turn++) {
    assert.ok(turn < 1_000, `process ${pid} lives on`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

if (process.platform === 'linux') {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    own(`a server ended by ${signal} leaves neither process nor socket`, async () => {
      await using folder = await tempFolder();
      const data = folder.file('node');
      const { child, exited, ownPid } = await program(data);
      assert.ok(existsSync(socketOf(data)));
      process.kill(child.pid as number, signal);
      const end = await exited;
      if (signal !== 'SIGKILL') assert.is(end, 0);
      await isGone(ownPid);
      assert.not(existsSync(socketOf(data)));
    });
  }

  own('Ctrl-C in a terminal reaches both: the server decides, and nothing is left', async () => {
    await using folder = await tempFolder();
    const data = folder.file('node');
    const { child, exited, ownPid } = await program(data);
    process.kill(ownPid, 'SIGINT');
    process.kill(child.pid as number, 'SIGINT');
    assert.is(await exited, 0);
    await isGone(ownPid);
    assert.not(existsSync(socketOf(data)));
  });
}

own.run();
