/**
 * One subject as the runner sees it: a child process that is told what to measure and answers figures. It leads a process group
 * of its own, so that Ctrl-C in a terminal reaches the runner alone, and so that nothing it started outlives it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import type { SubjectMessage, SubjectRequest } from '../serve-cells.ts';
import type { Subject } from '../suite.ts';
import { commandFor } from './runtimes.ts';

export type RoundMessage = SubjectMessage & { bench: 'round' };

/** How long opening may take, and closing, in milliseconds. */
const openDeadlineMs = 30_000;
const closeDeadlineMs = 10_000;
/** What is kept of what it says besides, for error messages. */
const maxTailCharacters = 2_000;

export class SubjectProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.kill();
  #tail = '';
  #waiting: PromiseWithResolvers<SubjectMessage> | undefined;
  #nextId = 1;
  #ended: Error | undefined;

  private constructor(subject: Subject, signal: AbortSignal) {
    const [command = '', ...args] = commandFor(subject.runtime, subject.file, [JSON.stringify(subject.params ?? null)]);
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: environment() });
    this.#child = child;
    this.#signal = signal;
    child.stdin?.on('error', () => {});
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#note(text));
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    }
    this.#exited = new Promise((resolve) => {
      child.once('error', (cause) => {
        this.#end(cause);
        resolve();
      });
      child.once('close', (code, by) => {
        this.#end(new Error(`The process ended with ${by ?? `exit code ${code}`}. ${this.#complaint}`.trim()));
        resolve();
      });
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Starts it and waits until it is open. Rejects with what it said when it could not open. */
  static async start(subject: Subject, signal: AbortSignal): Promise<SubjectProcess> {
    const started = new SubjectProcess(subject, signal);
    try {
      await started.#answer(openDeadlineMs, 'to open');
      return started;
    } catch (error) {
      started.kill();
      await started.stop();
      throw error;
    }
  }

  /** Measures one round. One at a time. */
  async round(request: Omit<SubjectRequest, 'id'>, deadlineMs: number): Promise<RoundMessage> {
    const id = this.#nextId++;
    const answer = this.#answer(deadlineMs, 'for a round');
    this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    const message = await answer;
    if (message.bench !== 'round') throw new Error('The subject answered something else than a round.');
    return message;
  }

  /** Why it does not answer any more. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** Lets it close what it opened; kills it when that takes too long. Idempotent. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.kill(), closeDeadlineMs);
    await this.#exited;
    clearTimeout(timer);
    // Whatever it started and left behind.
    this.kill();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The whole group has ended.
    }
  }

  async #answer(deadlineMs: number, why: string): Promise<SubjectMessage> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiting = Promise.withResolvers<SubjectMessage>();
    this.#waiting = waiting;
    const timer = setTimeout(() => {
      waiting.reject(
        new Error(`It took longer than ${Math.round(deadlineMs / 1000)} s ${why}. ${this.#complaint}`.trim()),
      );
      this.kill();
    }, deadlineMs);
    try {
      const message = await waiting.promise;
      if (message.bench === 'failed') throw new Error(message.message);
      return message;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  /** What it printed, from the line on that looks like the reason. */
  get #complaint(): string {
    const lines = this.#tail.trim().split('\n');
    const from = lines.findIndex((line) => /error/i.test(line));
    return lines.slice(Math.max(0, from)).join('\n').trim();
  }

  #hear(line: string): void {
    if (line.startsWith('{"bench":')) this.#waiting?.resolve(JSON.parse(line) as SubjectMessage);
    else this.#note(`${line}\n`);
  }

  #note(text: string): void {
    this.#tail = (this.#tail + text).slice(-maxTailCharacters);
  }

  #end(cause: Error): void {
    this.#ended ??= cause;
    this.#waiting?.reject(this.#ended);
  }
}

/** This process's own, without settings that would change what is measured. */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(TASKMESH_|NODE_OPTIONS$|FORCE_COLOR$)/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}
