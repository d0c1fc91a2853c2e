/**
 * Does what the README tells a newcomer, word for word, with a home folder of its own, and checks what a newcomer would see.
 * Part of `.ci/run`; ends with `N passed, N failed`. It uses the README's own ports, so no node may be running on them.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const home = mkdtempSync(join(tmpdir(), 'taskmesh-newcomer-'));
const env = { ...process.env, HOME: home, NO_COLOR: '1' };
const stepDeadlineMs = 60_000;

interface Terminal {
  child: ChildProcess;
  output: () => string;
  exited: Promise<number | null>;
}

/** A command in a terminal of its own, exactly as the README has it. */
function type(command: string): Terminal {
  if (!readme.includes(command)) throw new Error(`The README does not say: ${command}`);
  const child = spawn('sh', ['-c', command], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('said', output);
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, output: () => output, exited };
}

/** Resolves when the terminal shows it; rejects with what it shows instead when the command ended or time is over. */
async function shows(terminal: Terminal, what: RegExp): Promise<void> {
  const seen = Promise.withResolvers<void>();
  const look = (): void => {
    if (what.test(terminal.output())) seen.resolve();
  };
  terminal.child.on('said', look);
  look();
  const tooLong = setTimeout(
    () => seen.reject(new Error(`Not seen within ${stepDeadlineMs} ms: ${what}\n${terminal.output()}`)),
    stepDeadlineMs,
  );
  void terminal.exited.then((code) => {
    look();
    seen.reject(new Error(`Ended with code ${code} before it showed ${what}:\n${terminal.output()}`));
  });
  await seen.promise.finally(() => clearTimeout(tooLong));
}

/** A command that ends by itself. */
async function run(command: string, ...expected: RegExp[]): Promise<void> {
  const terminal = type(command);
  const tooLong = setTimeout(() => signal(terminal, 'SIGKILL'), stepDeadlineMs);
  const code = await terminal.exited;
  clearTimeout(tooLong);
  if (code !== 0) throw new Error(`Exit code ${code}:\n${terminal.output()}`);
  for (const what of expected)
    if (!what.test(terminal.output())) throw new Error(`Does not show ${what}:\n${terminal.output()}`);
}

/** What a key does in a terminal reaches everything that runs in it. */
function signal({ child }: Terminal, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function ctrlC(terminal: Terminal): Promise<void> {
  const from = performance.now();
  signal(terminal, 'SIGINT');
  await terminal.exited;
  const tookMs = performance.now() - from;
  if (tookMs > 2_000) throw new Error(`Ctrl-C took ${Math.round(tookMs)} ms:\n${terminal.output()}`);
}

let passed = 0;
let failed = 0;
async function step(name: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
    passed++;
    console.log(`  ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`  FAIL  ${name}\n${error instanceof Error ? error.message : error}`);
  }
}

const open: Terminal[] = [];
const terminal = (command: string): Terminal => {
  const opened = type(command);
  open.push(opened);
  return opened;
};

try {
  let first: Terminal | undefined;
  let worker: Terminal | undefined;
  let second: Terminal | undefined;
  await step('npm start prints the MCP URL, the peer id, the addresses and how to add it', async () => {
    first = terminal('npm start');
    await shows(first, /MCP +http:\/\/127\.0\.0\.1:7330\/mcp.*peer id +12D3Koo.*\/ip4\/127.*data.*claude mcp add/s);
  });
  await step('a second node starts', async () => {
    second = terminal('npx taskmesh serve --port 7331 --data ./second');
    await shows(second, /MCP +http:\/\/127\.0\.0\.1:7331\/mcp/);
  });
  await step('a worker on the second node starts', async () => {
    worker = terminal('npx taskmesh work --port 7331 --type text.stats --exec ./examples/text-stats.ts');
    await shows(worker, /text\.stats/);
  });
  await step('the first node finds the second one', () => run('npx taskmesh discover', /12D3Koo/));
  await step('work given to the first node is done by the worker on the second one', () =>
    run('npx taskmesh submit text.stats @README.md --wait', /completed/, /words/),
  );
  await step('the list of peers shows the second node', () => run('npx taskmesh peers', /12D3Koo/));
  await step('Ctrl-C ends worker and nodes within two seconds', async () => {
    for (const each of [worker, second, first]) if (each) await ctrlC(each);
  });
  await step('the service on Deno starts and ends the same way', async () => {
    const deno = terminal('npm run start:deno');
    await shows(deno, /on deno.*layout inline.*MCP +http:\/\/127\.0\.0\.1:7330\/mcp/s);
    await ctrlC(deno);
  });
} finally {
  for (const each of open) signal(each, 'SIGKILL');
  rmSync(home, { recursive: true, force: true });
  rmSync(join(root, 'second'), { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
