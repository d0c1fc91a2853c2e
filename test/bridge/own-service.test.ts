/** What happens when a P2P service that is a server's child, or that server, is killed, frozen or stopped: real processes. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { childWay } from '../../src/bridge/child-way.ts';
import type { FarSideWay } from '../../src/bridge/far-side-life.ts';
import { runtime } from '../../src/mesh/build.ts';
import { errorCode } from '../support/error-code.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';
import { isAlive, runtimeCommand, socketOf, supervised } from './p2p-process.ts';
import { failureOf, server, startedServer } from './supervised-server.ts';

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
