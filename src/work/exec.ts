/**
 * Runs a program for each task: payload as JSON on its standard input, result on its standard output. Made by
 * `taskmesh work --exec`, called by `work`.
 *
 * What a program keeps to:
 * - Standard output is the result: JSON, or else text. Nothing: null.
 * - Each line on standard error is progress: `{"progress": …}` for a note in JSON, any other line as text.
 * - Exit code 0: completed. 75 (EX_TEMPFAIL): come back later. Any other code or a signal: failed; the last lines of
 *   standard error are the task's error. All failures are tried again while the task has attempts left.
 * - When the work is no longer wanted, the program and what it started (its process group) get SIGTERM, and SIGKILL 3 s
 *   later.
 * - A worker that is itself killed (SIGKILL) cannot do that: the program finds its standard output and standard error closed,
 *   and nothing else is promised. A further descriptor that says so would have to be known by every program, or be in its way.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { defaultLimits } from '../mesh/limits.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import { lineReader } from './lines.ts';
import type { taskVariables } from './program.ts';
import { TaskFailure, type TaskRunner, type WorkContext } from './task-runner.ts';

/** From SIGTERM to SIGKILL, in milliseconds; below the time after which a worker leaves a runner behind. */
const killAfterMs = 3_000;
/** How long output may stay open after the program's own end, in milliseconds: a child of its own may hold it. */
const drainMs = 1_000;
const maxTailLines = 10;
const maxTextNoteLength = 1_000;

/** sysexits.h: a temporary failure, try again later. */
const tempFail = 75;

interface ExecOptions {
  /** Program and arguments, as `programOf` answers them. */
  readonly command: readonly string[];
  /** The program's environment, besides what is said about the task. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Most bytes of standard output. */
  readonly maxResultBytes?: number;
}

/** The runner throws `TaskFailure`, or the signal's reason when the work is no longer wanted. */
export function execRunner(options: ExecOptions): TaskRunner {
  return (task, context) => runProgram(options, task, context);
}

async function runProgram(options: ExecOptions, task: ClaimedTask, context: WorkContext): Promise<unknown> {
  const { clock, maxResultBytes = defaultLimits.maxResultBytes } = options;
  const { signal } = context;
  signal.throwIfAborted();
  const [program = '', ...args] = options.command;
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...options.env, ...variablesOf(task) },
    detached: true,
  });
  const closed = closing(child);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const tail: string[] = [];
  let cancelTimer: CancelTimer = () => {};

  const terminate = (): void => {
    killGroup(child, 'SIGTERM');
    cancelTimer = clock.setTimer(killAfterMs, () => killGroup(child, 'SIGKILL'));
  };
  child.stdout.on('data', (chunk: Buffer) => {
    const before = bytes;
    bytes += chunk.length;
    if (bytes <= maxResultBytes) chunks.push(chunk);
    else if (before <= maxResultBytes) terminate();
  });
  child.stderr.on(
    'data',
    lineReader(defaultLimits.maxNoteBytes, (line) => report(line, tail, context)),
  );
  child.once('exit', () => {
    cancelTimer();
    cancelTimer = clock.setTimer(drainMs, () => {
      killGroup(child, 'SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
    });
  });
  // A program need not read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(task.payload ?? null));

  signal.addEventListener('abort', terminate, { once: true });
  try {
    const { code, by } = await closed;
    signal.throwIfAborted();
    if (bytes > maxResultBytes) {
      throw new TaskFailure(
        `The program wrote more than ${maxResultBytes} bytes. Put large data where both sides can reach it and answer its address.`,
        { retry: false },
      );
    }
    if (code !== 0) throw new TaskFailure(failureText(code, by, tail));
    return resultOf(Buffer.concat(chunks).toString('utf8'));
  } finally {
    signal.removeEventListener('abort', terminate);
    cancelTimer();
  }
}

/** How the program ended, once its output is read to the end. Throws `TaskFailure` when it could not be started. */
async function closing(child: ChildProcess): Promise<{ code: number | null; by: string | null }> {
  try {
    const [code, by] = (await once(child, 'close')) as [number | null, string | null];
    return { code, by };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TaskFailure(`The program could not be started: ${why}.`, { cause });
  }
}

function killGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // There is no group any more, or the system has none: the program itself is what is left to end.
    child.kill(signal);
  }
}

function variablesOf(task: ClaimedTask): Record<(typeof taskVariables)[number], string> {
  return {
    TASKMESH_TASK_ID: task.task_id,
    TASKMESH_TASK_TYPE: task.task_type,
    TASKMESH_ATTEMPT: String(task.attempt),
    TASKMESH_MODEL_NAME: task.model_name,
  };
}

function report(line: string, tail: string[], context: WorkContext): void {
  const text = line.trim();
  if (text === '') return;
  const note = noteIn(text);
  if (note === undefined) {
    tail.push(text.slice(0, maxTextNoteLength));
    if (tail.length > maxTailLines) tail.shift();
  }
  try {
    context.progress(note === undefined ? text.slice(0, maxTextNoteLength) : note.progress);
  } catch {
    // A note that is too big is left out; it is no reason to give up the work.
  }
}

function noteIn(line: string): { progress: unknown } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(line) as { progress?: unknown };
    return parsed.progress === undefined ? undefined : { progress: parsed.progress };
  } catch {
    return undefined;
  }
}

function failureText(code: number | null, by: string | null, tail: string[]): string {
  const how =
    code === null
      ? `The program was ended by ${by}`
      : code === tempFail
        ? 'The program asks to be tried again later (exit code 75)'
        : `The program ended with exit code ${code}`;
  return tail.length === 0 ? `${how}.` : `${how}: ${tail.join('\n')}`;
}

function resultOf(output: string): unknown {
  const text = output.trim();
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
