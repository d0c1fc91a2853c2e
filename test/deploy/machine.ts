/**
 * A machine with systemd as its first process, on this one: in namespaces of its own, with what it writes in memory. The units of
 * `deploy/systemd` are installed, and the program is in /opt/taskmesh, as docs/deploy.md says. Needs Linux, root and systemd.
 *
 * Promises: nothing of it is left at the end; when the process that made it is killed, an empty folder and an empty control group.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tempFolder } from '../support/temp-folder.ts';
import { commandFor, type Runtime, rootFolder } from '../tooling/runtimes.ts';

const execute = promisify(execFile);
const script = fileURLToPath(new URL('./machine.sh', import.meta.url));

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Longest that the machine may take to boot, and a command on it to run, in milliseconds. */
const patienceMs = 60_000;

/** In front of what ends with the process that started it, whatever that died of. */
const mortal = 'setpriv --pdeathsig KILL';

export interface Machine extends AsyncDisposable {
  /** Runs a line of shell on it; what it printed. Throws when it fails. */
  run(line: string): Promise<string>;
  /** The next line that a unit writes to /run/told. */
  told(): Promise<string>;
}

/** Why there can be none here; undefined when there can be. */
export async function whyNoMachine(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `systemd is Linux’s, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'namespaces like these take root';
  if (!existsSync('/lib/systemd/systemd') && !existsSync('/usr/lib/systemd/systemd')) return 'systemd is not installed';
  try {
    await using _ = await bootMachine();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1);
  }
}

const binaryOf = (runtime: Runtime): string => realpathSync(commandFor(runtime, '').executable);

/** Throws when it does not boot, with what it said. */
export async function bootMachine(): Promise<Machine> {
  const cgroups = await ownCgroups();
  const folder = await tempFolder();
  const work = folder.file('machine');
  const fifo = `${work}.told`;
  await mkdir(work);
  await execute('mkfifo', [fifo]);
  // Open for writing too, so that it does not end when a writer does.
  const listener = spawn('sh', ['-c', `exec ${mortal} cat <>"$0"`, fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  const inside = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
  const args = [
    ...inside,
    '--fork',
    '--kill-child',
    'sh',
    script,
    work,
    rootFolder,
    binaryOf('node'),
    binaryOf('deno'),
  ];
  const enterCgroups = cgroups.map((group) => `echo $$ >${group}/cgroup.procs`).join(' && ');
  const child = spawn('sh', ['-c', `${enterCgroups} && exec ${mortal} unshare "$@"`, 'sh', ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const ended = once(child, 'close').then((): never => {
    throw new Error(said || 'The machine ended.');
  });
  ended.catch(() => {});
  const told = async (): Promise<string> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`The machine told nothing for ${patienceMs} ms. ${said}`)),
      patienceMs,
    );
    try {
      return String((await Promise.race([lines.next(), ended, late.promise])).value);
    } finally {
      clearTimeout(timer);
    }
  };
  let first = '';
  const close = async (): Promise<void> => {
    // The end of a namespace's first process is the end of all others in it, before it is told to `unshare`.
    if (first === '') child.kill('SIGKILL');
    else process.kill(Number(first), 'SIGKILL');
    await ended.catch(() => {});
    listener.kill();
    for (const group of cgroups) await removeCgroup(group);
    await folder.remove();
  };
  try {
    const word = await told();
    if (word !== 'booted') throw new Error(`The machine said ${word}.`);
    first = await childOf(child);
    const enter = ['-t', first, ...inside, '--root', '--wd', 'env', '-i', 'HOME=/root', `PATH=${path}`, 'sh', '-c'];
    return {
      told,
      async run(line) {
        const { stdout } = await execute('nsenter', [...enter, line], { timeout: patienceMs });
        return stdout.trim();
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function childOf({ pid }: ChildProcess): Promise<string> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
}

/** A control group for the machine in each hierarchy that systemd looks at: what is above it, the machine does not see. */
async function ownCgroups(): Promise<string[]> {
  const root = '/sys/fs/cgroup';
  const hierarchies = existsSync(join(root, 'cgroup.procs')) ? [root] : [join(root, 'systemd'), join(root, 'unified')];
  const made = hierarchies.map((top) => join(top, `taskmesh-test-${process.pid}-${Date.now()}`));
  for (const group of made) await mkdir(group);
  return made;
}

/** From below; by then nothing runs in them. */
async function removeCgroup(group: string): Promise<void> {
  for (const entry of await readdir(group, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroup(join(group, entry.name));
  await rmdir(group);
}
