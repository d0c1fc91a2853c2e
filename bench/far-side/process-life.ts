/** Processes that a subject starts beside itself: a first line on stdout says that they are ready, the end of stdin ends them. */

import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { commandFor, currentRuntime } from '../runner/runtimes.ts';

/** Called by the started process: says one line, answers each line that it is told, and ends when its starter lets go of it or is gone. */
export async function serveUntilStdinEnds(
  ready: string,
  answer: (line: string) => Promise<string> = async () => '',
): Promise<never> {
  process.stdout.write(`${ready}\n`);
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${await answer(line)}\n`);
  process.exit(0);
}

export interface StartedProcess {
  /** The first line that it said. */
  readonly ready: string;
  readonly pid: number;
  /** Tells it a line, one at a time, and answers the line that it says to that. */
  tell(line: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a file of this project on this process's own runtime. Rejects with what it printed when it ends before it is ready. */
export async function startProcess(file: URL, args: readonly string[]): Promise<StartedProcess> {
  const [command = '', ...rest] = commandFor(currentRuntime, file, args);
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout });
  const nextLine = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const end = (code: number | null): void => reject(new Error(`${file.pathname} ended with exit code ${code}.`));
      child.once('close', end).once('error', reject);
      lines.once('line', (line) => {
        child.off('close', end).off('error', reject);
        resolve(line);
      });
    });
  const ready = await nextLine();
  return {
    ready,
    pid: child.pid ?? 0,
    tell(line) {
      child.stdin.write(`${line}\n`);
      return nextLine();
    },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
