/** Processes that a subject starts beside itself: a first line on stdout says that they are ready, the end of stdin ends them. */

import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { commandFor, currentRuntime } from '../runner/runtimes.ts';

/** Called by the started process: says one line, and ends when its starter lets go of it or is gone. */
export async function serveUntilStdinEnds(ready: string): Promise<never> {
  process.stdout.write(`${ready}\n`);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve).once('close', resolve));
  process.exit(0);
}

export interface StartedProcess {
  /** The first line that it said. */
  readonly ready: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a file of this project on this process's own runtime. Rejects with what it printed when it ends before it is ready. */
export async function startProcess(file: URL, args: readonly string[]): Promise<StartedProcess> {
  const [command = '', ...rest] = commandFor(currentRuntime, file, args);
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout });
  const ready = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`${file.pathname} ended with exit code ${code}.`)));
  });
  return {
    ready,
    pid: child.pid ?? 0,
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
