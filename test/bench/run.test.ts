/** The command itself, in a process of its own, as a user runs it. Nothing here looks at a time. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { type Report, report } from '../../bench/report-schema.ts';
import { commandFor, currentRuntime } from '../../bench/runner/runtimes.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('bench/run.ts');

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** `onLine` hears each line of progress, and may send a signal. */
async function run(
  args: readonly string[],
  onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
  env: Record<string, string> = {},
): Promise<Ended> {
  const [command = '', ...rest] = commandFor(currentRuntime, new URL('../../bench/run.ts', import.meta.url), args);
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text));
  createInterface({ input: child.stderr }).on('line', (line) => {
    ended.stderr += `${line}\n`;
    onLine(line, (signal) => void (child.pid !== undefined && process.kill(child.pid, signal)));
  });
  ended.code = await new Promise((resolve) => child.once('close', resolve));
  return ended;
}

const read = (folder: string): Report => report.parse(JSON.parse(readFileSync(`${folder}/report.json`, 'utf8')));

const onlyHere = ['--runtimes', currentRuntime];

test('a smoke run completes, measures every cell of the hop, and fits its schema', async () => {
  await using folder = await tempFolder();
  const ended = await run(['--smoke', '--suites', 'clock,hop', ...onlyHere, '--out', folder.path]);
  assert.is(ended.code, 0, ended.stderr);
  const written = read(folder.path);
  assert.ok(written.complete);
  assert.is(written.mode, 'smoke');
  assert.equal(
    written.suites.map(({ name }) => name),
    ['clock', 'hop'],
  );
  const failed = written.suites.flatMap(({ cells }) => cells).filter(({ status }) => status !== 'measured');
  assert.equal(
    failed.map(({ id, failure }) => `${id}: ${failure}`),
    [],
  );
  for (const file of ['report.md', 'index.html']) assert.ok(existsSync(folder.file(file)), file);
  assert.match(ended.stdout, /The report is in/);
});

test('Ctrl-C leaves a valid report of what was measured', async () => {
  await using folder = await tempFolder();
  let sent = false;
  const ended = await run(['--smoke', '--suites', 'clock,hop', ...onlyHere, '--out', folder.path], (line, kill) => {
    if (sent || !line.startsWith('2/2')) return;
    sent = true;
    kill('SIGINT');
  });
  assert.is(ended.code, 130, ended.stderr);
  const written = read(folder.path);
  assert.not(written.complete);
  assert.ok(written.suites[0]?.cells.every(({ status }) => status === 'measured'));
  assert.ok(written.suites[1]?.cells.every(({ status }) => status !== 'measured'));
  assert.match(readFileSync(folder.file('report.md'), 'utf8'), /interrupted/);
});

test('a second Ctrl-C gives up at once, and leaves no folder behind', async () => {
  await using folder = await tempFolder();
  // A compiler that is ended with it may leave files of its own.
  const left = (): string[] => readdirSync(folder.path).filter((name) => name.startsWith('taskmesh-bench-'));
  let sent = false;
  const ended = await run(
    ['--smoke', '--suites', 'hop', ...onlyHere, '--out', folder.file('report')],
    (line, kill) => {
      if (line.startsWith('Stopping')) kill('SIGINT');
      if (sent || !line.startsWith('1/1')) return;
      sent = true;
      assert.is(left().length, 1);
      kill('SIGINT');
    },
    { TMPDIR: folder.path },
  );
  assert.is(ended.code, 130, ended.stderr);
  assert.equal(left(), []);
});

test('what cannot be asked for is refused with what can be', async () => {
  const ended = await run(['--suites', 'hop,hopp']);
  assert.is(ended.code, 2);
  assert.match(ended.stderr, /There is no suite 'hopp'.*clock, hop/);
});

test.run();
