/**
 * Runs one test file in a process of its own and says how it went. Used by `test/run.ts`.
 *
 * Promises: it always settles, within the time limit plus a moment; whatever the file started (its process group) and
 * wrote to its temporary folder is gone afterwards; a file that proves nothing (no tests, no summary) has failed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { commandFor, environmentFor, type Runtime, rootFolder } from './runtimes.ts';

/** What is kept of a file's output: its end, where uvu prints the failures and the summary. */
const maxOutputChars = 4 * 1024 * 1024;

/** How long a file may stay alive after uvu's summary. Longer means that a timer, socket or worker has no owner. */
const exitGraceMs = 10_000;

export interface FileOutcome {
  passed: number;
  failed: number;
  skipped: number;
  durationMs: number;
  /** What is wrong beyond failed assertions; empty when nothing is. */
  complaint: string;
  output: string;
}

/** uvu's own summary; the last one, should the tests have printed others. */
export function readSummary(output: string): { total: number; passed: number; skipped: number } | undefined {
  const found = [...output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n/gm)].at(-1);
  if (!found) return undefined;
  const [total = 0, passed = 0, skipped = 0] = found.slice(1).map(Number);
  return { total, passed, skipped };
}

/** Ends the file's process and every process it started; no other one. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

interface Ending {
  code: number | null;
  stoppedFor: string;
  output: string;
}

function runToEnd(child: ChildProcess, timeLimitMs: number, signal: AbortSignal): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  let output = '';
  let stoppedFor = '';
  let code: number | null = null;
  let grace: ReturnType<typeof setTimeout> | undefined;
  const stop = (reason: string) => {
    stoppedFor ||= reason;
    killGroup(child);
  };
  const onAbort = () => stop('interrupted');
  const limit = setTimeout(() => stop(`not finished after ${timeLimitMs / 1000} s, so it was killed`), timeLimitMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  const collect = (text: string) => {
    output = (output + text).slice(-maxOutputChars);
    if (grace === undefined && text.includes('Duration:') && readSummary(output)) {
      const reason = `still alive ${exitGraceMs / 1000} s after its last test: a timer, socket or worker has no owner`;
      grace = setTimeout(() => stop(reason), exitGraceMs);
    }
  };
  child.stdout?.setEncoding('utf8').on('data', collect);
  child.stderr?.setEncoding('utf8').on('data', collect);
  child.on('error', (error) => collect(`could not be started: ${error.message}\n`));
  child.on('exit', (exitCode) => {
    code = exitCode;
    killGroup(child); // what it left behind would keep its pipes open
  });
  child.on('close', () => {
    clearTimeout(limit);
    clearTimeout(grace);
    signal.removeEventListener('abort', onAbort);
    resolve({ code, stoppedFor, output });
  });
  return promise;
}

/** Turns how the process ended into counts. Each kind of breakage counts as one failure on top of the failed tests. */
export function judge({ code, stoppedFor, output }: Ending): Omit<FileOutcome, 'durationMs'> {
  const summary = readSummary(output);
  const { total, passed, skipped } = summary ?? { total: 0, passed: 0, skipped: 0 };
  let failed = total - passed;
  let complaint = '';
  if (stoppedFor !== '') complaint = stoppedFor;
  else if (!summary) complaint = `ended with code ${code} and without a summary: it crashed, or its suites never ran`;
  else if (total + skipped === 0) complaint = 'has no tests';
  else if (failed === 0 && code !== 0) complaint = `every test passed, but it ended with code ${code}`;
  if (complaint !== '') failed += 1;
  else if (failed > 0 && code === 0)
    complaint = 'tests did not run: a before or after hook threw, and uvu hides that error';
  return { passed, failed, skipped, complaint, output };
}

/** Runs `file` (absolute path) on `runtime`. Never rejects because of what the file does. */
export async function runFile(
  file: string,
  { runtime, timeLimitMs, signal }: { runtime: Runtime; timeLimitMs: number; signal: AbortSignal },
): Promise<FileOutcome> {
  const startedAt = performance.now();
  const temporaryFolder = await mkdtemp(path.join(os.tmpdir(), 'tm-test-'));
  try {
    const { executable, args } = commandFor(runtime, file);
    const child = spawn(executable, args, {
      cwd: rootFolder,
      env: environmentFor(temporaryFolder),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32', // a process group of its own, so that all of it can be ended
    });
    const ending = await runToEnd(child, timeLimitMs, signal);
    return { ...judge(ending), durationMs: performance.now() - startedAt };
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true, maxRetries: 3 });
  }
}
