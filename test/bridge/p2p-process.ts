/** P2P services as processes, started from their entrypoint, for the tests of the layout `process`. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Command } from '../../src/bridge/child-process.ts';
import { openMesh } from '../../src/bridge/open-mesh.ts';
import { runtime } from '../../src/mesh/build.ts';
import type { HostedMesh } from '../../src/mesh/mesh.ts';
import type { NodeOptions } from '../../src/mesh/node-options.ts';

const file = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

export type RuntimeName = 'node' | 'deno';

/** The one that these tests run on by the path it was started by, the other one from where npm put it. */
function programOf(name: RuntimeName): string {
  return name === runtime.name ? process.execPath : file(`node_modules/.bin/${name}`);
}

export function runtimeCommand(name: RuntimeName, entrypoint: string): [string, ...string[]] {
  const flags = name === 'deno' ? ['run', '-A', '--no-prompt'] : [];
  return [programOf(name), ...flags, file(entrypoint)];
}

/** What starts a supervised service on the runtime that the tests run on. */
export const supervised: Command = [...runtimeCommand(runtime.name, 'entrypoints/p2p.ts'), '--supervised'];

export function socketOf(dataFolder: string): string {
  return join(dataFolder, 'p2p.sock');
}

/** A mesh whose node is a child process. */
export function childMesh(node: Omit<NodeOptions, 'layout'>, rpc: string): Promise<HostedMesh> {
  return openMesh({
    layout: 'process',
    node,
    logLevel: 'fatal',
    process: { child: { command: supervised, rpc: [rpc] } },
    onDown(cause) {
      throw cause;
    },
  });
}

/** A service as its operator runs it. */
export interface OperatorsService extends AsyncDisposable {
  readonly pid: number;
  /** Where it listens for servers. */
  readonly rpc: readonly string[];
  readonly tokenFile: string;
  readonly token: () => string;
  /** Resolves with the exit code, or the signal. */
  readonly exited: Promise<number | string | null>;
  signal(signal: NodeJS.Signals): void;
  /** As Ctrl-C does. */
  stop(): Promise<number | string | null>;
}

export interface StartServiceOptions {
  data: string;
  /** Default: the one that the tests run on. */
  on?: RuntimeName;
  rpcListen?: readonly string[];
}

/** Resolves when it has said where it listens. Rejects with what it said when it ends before. */
export async function startP2p({
  data,
  on = runtime.name,
  rpcListen = [],
}: StartServiceOptions): Promise<OperatorsService> {
  const [program, ...args] = runtimeCommand(on, 'entrypoints/p2p.ts');
  const flags = ['--data', data, '--no-mdns', '--log-level', 'warning', '--p2p-listen', '/ip4/127.0.0.1/tcp/0'];
  const listen = rpcListen.flatMap((address) => ['--rpc-listen', address]);
  const child = spawn(program, [...args, ...flags, ...listen], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = exitOf(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const rpc: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    rpc.push(...(/^ {2}(?:servers)? +((?:unix|http):\S+)$/.exec(line)?.slice(1) ?? []));
    if (line.includes('Ctrl-C')) break;
  }
  if (rpc.length === 0) throw new Error(`The P2P service ended with ${await exited}: ${said}`);
  child.stdout.resume();
  const pid = child.pid as number;
  const service: OperatorsService = {
    pid,
    rpc,
    tokenFile: join(data, 'p2p.token'),
    token: () => readFileSync(service.tokenFile, 'utf8').trim(),
    exited,
    signal: (signal) => void process.kill(pid, signal),
    stop() {
      if (isAlive(pid)) process.kill(pid, 'SIGINT');
      return exited;
    },
    [Symbol.asyncDispose]: async () => void (await service.stop()),
  };
  return service;
}

export function exitOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that nobody has taken notice of yet is dead all the same.
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return !/\) Z /.test(stat);
}
