/**
 * A process that a subject starts for itself: the far end of a wire, a driver, a worker. Its file calls `serveParent`. They talk in
 * JSON lines: the child's first line says that it is ready; each question is answered; the end of its standard input ends it.
 */

import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pinned, type Role } from '../runner/pinning.ts';
import { executableOf } from '../runner/runtimes.ts';
import type { RuntimeName } from '../suite.ts';

/** How long a child may take to end by itself before it is killed, in milliseconds. */
const graceMs = 3_000;

export interface OwnChild<Ready> {
  /** What it said as it was ready. */
  readonly ready: Ready;
  readonly pid: number;
  /** Rejects with what went wrong there, or when the child ends first. */
  ask<Answer>(question: unknown): Promise<Answer>;
  /** Idempotent. */
  end(): Promise<void>;
}

type Word = { ready: unknown } | { id: number; answer: unknown } | { id: number; failure: string };

const flags: Readonly<Record<RuntimeName, readonly string[]>> = {
  node: ['--no-warnings'],
  deno: ['run', '-A', '--quiet'],
};

/** Starts a file on a runtime; `params` reach it as JSON. Resolves when it is ready. Without a role it has its parent's processors. */
export async function startChild<Ready>(
  runtime: RuntimeName,
  file: URL,
  params: unknown,
  role?: Role,
): Promise<OwnChild<Ready>> {
  const words = [executableOf(runtime), ...flags[runtime], fileURLToPath(file), JSON.stringify(params)];
  const [command = '', ...args] = role === undefined ? words : pinned(role, words);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<Ready>();
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const fail = (cause: Error): void => {
    ready.reject(cause);
    for (const { reject } of pending.values()) reject(cause);
    pending.clear();
  };
  child.once('error', fail);
  child.once('close', (code) => fail(new Error(`${fileURLToPath(file)} on ${runtime} ended with code ${code}.`)));
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    const word = JSON.parse(line) as Word;
    if ('ready' in word) return ready.resolve(word.ready as Ready);
    const question = pending.get(word.id);
    pending.delete(word.id);
    if ('failure' in word) question?.reject(new Error(word.failure));
    else question?.resolve(word.answer);
  });
  let nextId = 1;
  const own: Omit<OwnChild<Ready>, 'ready'> = {
    pid: child.pid ?? -1,
    ask<Answer>(question: unknown) {
      const id = nextId++;
      const answer = Promise.withResolvers<unknown>();
      pending.set(id, answer);
      child.stdin.write(`${JSON.stringify({ id, question })}\n`);
      return answer.promise as Promise<Answer>;
    },
    async end() {
      child.stdin.end();
      const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(kill);
    },
  };
  return { ...own, ready: await ready.promise };
}

interface Served {
  /** Says where it listens, or whatever the parent wants to know first. */
  ready: unknown;
  answer?(question: never): Promise<unknown>;
  close?(): Promise<unknown>;
}

/** The child's side: opens with the parent's params, answers questions side by side until standard input ends, ends the process. */
export async function serveParent<Params>(open: (params: Params) => Promise<Served>): Promise<void> {
  const say = (word: Word): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
  const served = await open(JSON.parse(process.argv[2] ?? 'null') as Params);
  say({ ready: served.ready });
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, question } = JSON.parse(line) as { id: number; question: never };
    void Promise.resolve(served.answer?.(question)).then(
      (answer) => say({ id, answer: answer ?? null }),
      (error: Error) => say({ id, failure: error.stack ?? error.message }),
    );
  }
  await served.close?.();
  process.exit(0);
}
