/** What runs on a lab's hosts: services, MCP clients, workers and command lines, each in its host's namespace. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RuntimeName, type Service, startService } from '../support/service.ts';
import { rootFolder } from '../tooling/runtimes.ts';
import type { Host } from './lab.ts';

export type Answer = Record<string, unknown>;

const node = join(rootFolder, 'node_modules/.bin/node');

export interface ServiceOn {
  runtime: RuntimeName;
  /** A folder for all hosts' data; each gets one of its own in there. */
  folder: string;
  flags?: readonly string[];
  /** Whom it serves; default: every host that has the mesh key. */
  admit?: 'mesh-key' | 'listed';
}

/** The data folder of a host. */
export function dataOf(host: Host, folder: string): string {
  return join(folder, host.name);
}

export function serviceOn(
  host: Host,
  { runtime, folder, flags = [], admit = 'mesh-key' }: ServiceOn,
): Promise<Service> {
  const all = ['--admit', admit, ...flags];
  return startService({ runtime, data: dataOf(host, folder), flags: all, inFront: host.inFront });
}

/** The address of a service that other hosts can dial. */
export function addressOf(service: Service, host: Host, protocol: '/tcp/' | '/ws' = '/tcp/'): string {
  const found = service.addresses.find(
    (address) => address.includes(`/${host.address()}/`) && address.includes('/ws/') === (protocol === '/ws'),
  );
  if (found === undefined) throw new Error(`${host.name} listens on ${service.addresses.join(', ')} only`);
  return found;
}

function startOn(host: Host, file: string, args: readonly string[]): ChildProcess {
  const [command = '', ...words] = [...host.inFront, node, fileURLToPath(new URL(file, import.meta.url)), ...args];
  return spawn(command, words, { cwd: rootFolder, stdio: ['pipe', 'pipe', 'inherit'] });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('close', resolve));
}

export interface HostClient extends AsyncDisposable {
  /** Calls a tool of the host's own service; the structured answer, good or bad. */
  call(tool: string, input?: Answer): Promise<Answer>;
  /** The same, and fails the test when the answer is not ok. */
  ask(tool: string, input?: Answer): Promise<Answer>;
}

/** An MCP client on the host. */
export function clientOn(host: Host, service: Service): HostClient {
  const child = startOn(host, './client-main.ts', [service.url]);
  const waiting = new Map<number, PromiseWithResolvers<Answer>>();
  let nextId = 1;
  if (child.stdout === null) throw new Error('the client has no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, answer, error } = JSON.parse(line) as { id: number; answer?: Answer; error?: string };
    const call = waiting.get(id);
    waiting.delete(id);
    if (answer === undefined) call?.reject(new Error(error));
    else call?.resolve(answer);
  });
  child.once('close', () => {
    for (const call of waiting.values()) call.reject(new Error(`the MCP client on ${host.name} ended`));
    waiting.clear();
  });
  const call = (tool: string, input: Answer = {}): Promise<Answer> => {
    const id = nextId++;
    const answered = Promise.withResolvers<Answer>();
    waiting.set(id, answered);
    child.stdin?.write(`${JSON.stringify({ id, tool, input })}\n`);
    return answered.promise;
  };
  return {
    call,
    async ask(tool, input) {
      const answer = await call(tool, input);
      if (answer.ok !== true) throw new Error(`${tool} on ${host.name}: ${JSON.stringify(answer)}`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await ended(child);
    },
  };
}

/** How one attempt ended, as its worker saw it. */
export interface AttemptLine {
  readonly task_id: string;
  /** Of the result that was made; the owner must have stored this one if the outcome is `completed`. */
  readonly run: string;
  readonly outcome: 'completed' | 'failed' | 'released' | 'cancelled' | 'lost';
  readonly error?: string;
}

export interface HostWorker extends AsyncDisposable {
  readonly attempts: readonly AttemptLine[];
  /** Resolves when it is so; looks again whenever an attempt has ended. Rejects when the worker ends, or with the signal. */
  until(fits: () => boolean, signal?: AbortSignal): Promise<void>;
}

export interface WorkerOn {
  concurrency?: number;
  leaseSeconds?: number;
  /** How long each task takes, in milliseconds. */
  workMs?: number;
}

/** A worker for tasks of the type `lab`. */
export function workerOn(
  host: Host,
  service: Service,
  { concurrency = 1, leaseSeconds = 5, workMs = 0 }: WorkerOn = {},
): HostWorker {
  const words = [service.url, `on-${host.name}`, ...[concurrency, leaseSeconds, workMs].map(String)];
  const child = startOn(host, './worker-main.ts', words);
  const attempts: AttemptLine[] = [];
  const watchers = new Set<() => void>();
  if (child.stdout === null) throw new Error('the worker has no output');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line) as AttemptLine | { event: string };
    if ('task_id' in told) attempts.push(told);
    for (const look of watchers) look();
  });
  return {
    attempts,
    until: (fits, signal) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!fits()) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        child.once('close', () => reject(new Error(`the worker on ${host.name} ended`)));
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
        look();
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line on the host, to its end. */
export async function cliOn(host: Host, args: readonly string[]): Promise<Said> {
  const running = spawnCli(host, args);
  const said = { code: null as number | null, stdout: '', stderr: '' };
  running.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  running.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  await new Promise((resolve) => running.once('close', resolve));
  said.code = running.exitCode;
  return said;
}

/** Starts a command line on the host that runs until it is told to end. */
export function commandOn(host: Host, args: readonly string[]): AsyncDisposable {
  const child = spawnCli(host, args);
  child.stdout?.resume();
  child.stderr?.resume();
  return {
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, 'SIGINT');
      await ended(child);
    },
  };
}

function spawnCli(host: Host, args: readonly string[]): ChildProcess {
  const [command = '', ...words] = [...host.inFront, node, join(rootFolder, 'entrypoints/cli.ts'), ...args];
  return spawn(command, words, { cwd: rootFolder, stdio: ['ignore', 'pipe', 'pipe'] });
}
