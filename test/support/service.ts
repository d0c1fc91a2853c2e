/** Starts the service as a user does, from its entrypoints, as a child process, and talks about it in typed signals. */

import { type ChildProcess, spawn } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import denoConfig from '../../deno.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };
import type { Layout } from '../../src/mesh/node-options.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

export type RuntimeName = 'node' | 'deno';

export interface ServiceOptions {
  runtime: RuntimeName;
  /** The data folder. */
  data: string;
  layout?: Layout;
  /** Further flags. */
  flags?: readonly string[];
  /** Words in front of the command, such as those that run it in a network namespace. */
  inFront?: readonly string[];
}

export interface Service extends AsyncDisposable {
  readonly url: string;
  readonly peerId: string;
  readonly addresses: readonly string[];
  /** All that was printed so far, both streams. */
  readonly output: () => string;
  /** Ends it as Ctrl-C does; answers the exit code and how long it took. Idempotent. */
  stop(): Promise<{ code: number | null; tookMs: number }>;
  /** kill -9. */
  kill(): Promise<void>;
}

/** What `npm start` and `deno task start` run, without the task runner in between, so that signals reach the service itself. */
const commands: Readonly<Record<RuntimeName, readonly string[]>> = {
  node: commandOf(manifest.scripts.start),
  deno: commandOf(denoConfig.tasks.start),
};

/** A Deno server that starts its P2P service needs one permission more. */
const denoInFront = commandOf(denoConfig.tasks['start:process']);

/** The folder that the narrow permissions of the Deno command are for. */
const ownFolder = '$HOME/.taskmesh';

function commandOf(line: string): string[] {
  const [name = '', ...args] = line.split(' ');
  return [bin(basename(name)), ...args];
}

interface Started {
  child: ChildProcess;
  output: () => string;
  lines: AsyncIterable<string>;
  exited: Promise<number | null>;
}

function start({ runtime, data, layout, flags = [], inFront = [] }: ServiceOptions): Started {
  const own = runtime === 'deno' && layout === 'process' ? denoInFront : commands[runtime];
  const [command = '', ...words] = [...inFront, ...own];
  const first = words.map((word) => word.replace(ownFolder, dirname(data)));
  const args = [...first, '--port', '0', '--data', data, ...(layout ? ['--layout', layout] : []), ...flags];
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, exited, output: () => output, lines: createInterface({ input: child.stdout }) };
}

/** Resolves when the service has said where it listens. Rejects with its output when it ends before. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { child, exited, output, lines } = start(options);
  let url = '';
  let peerId = '';
  const addresses: string[] = [];
  for await (const line of lines) {
    url ||= /^\s+MCP\s+(http\S+)/.exec(line)?.[1] ?? '';
    peerId ||= /^\s+peer id\s+(\S+)/.exec(line)?.[1] ?? '';
    addresses.push(...(/^\s+(?:addresses\s+)?(\/\S+\/p2p\/\S+)/.exec(line)?.slice(1) ?? []));
    if (line.includes('Ctrl-C')) break;
  }
  if (url === '') throw new Error(`The service on ${options.runtime} ended with code ${await exited}:\n${output()}`);
  // Left unread, a full pipe would block the service.
  child.stdout?.resume();
  let stopped: Promise<{ code: number | null; tookMs: number }> | undefined;
  const endOnce = (signal: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> => {
    const from = performance.now();
    stopped ??= exited.then((code) => ({ code, tookMs: performance.now() - from }));
    // Deno's `child.kill` would report the signal as the cause of the end, whatever the exit code was.
    const isOver = child.exitCode !== null || child.signalCode !== null;
    if (child.pid !== undefined && !isOver) process.kill(child.pid, signal);
    return stopped;
  };
  const service: Service = {
    url,
    peerId,
    addresses,
    output,
    stop: () => endOnce('SIGINT'),
    kill: async () => void (await endOnce('SIGKILL')),
    [Symbol.asyncDispose]: async () => void (await service.stop()),
  };
  return service;
}

/** Runs a service that is expected to refuse; answers its exit code and what it said. */
export async function refusedService(options: ServiceOptions): Promise<{ code: number | null; output: string }> {
  const { child, exited, output } = start(options);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const code = await exited;
  clearTimeout(tooLong);
  return { code, output: output() };
}
