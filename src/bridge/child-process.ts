/**
 * A P2P service as a child process of this server: started with its options on standard input, which stays open as long as
 * the server lives. The child ends when it is closed, so that it outlives no server, whatever that one died of.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { systemClock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { parseRpcAddress, type RpcAddress } from '../mesh/rpc-address.ts';
import type { ServiceOptions } from './open-service.ts';
import { removeIfDead } from './probe-socket.ts';

/** What a supervised service is told on the first line of its standard input. */
export interface SupervisedOptions extends ServiceOptions {
  logLevel: string;
}

/** What it says on the first line of its standard output: that it listens, or why it does not. */
export type SupervisedWord =
  | { ok: true; rpc: string[]; token_file: string }
  | { ok: false; error: string; message: string; retryable: boolean };

/** The program and its arguments; nothing secret, for everybody on the machine sees them. */
export type Command = readonly [string, ...string[]];

/** What a child gets of this process's environment. */
const passedOn = [
  'HOME',
  'PATH',
  'TMPDIR',
  'NO_COLOR',
  'DENO_DIR',
  'DENO_NO_UPDATE_CHECK',
  'NODE_OPTIONS',
  'LANG',
  'TZ',
];

/** How long a child may take to stop before it is killed, in milliseconds: its node takes 2 s at most. */
const graceMs = 3_000;

export class ChildService {
  /** Resolves with the cause when it has ended and its sockets are gone, asked for or not. */
  readonly ended: Promise<Error>;
  readonly #child: ChildProcess;
  #sockets: readonly string[] = [];

  constructor([program, ...args]: Command, options: SupervisedOptions) {
    const env = Object.fromEntries(passedOn.map((name) => [name, process.env[name]]).filter(([, value]) => value));
    // What it logs goes where ours goes.
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#sockets = options.rpc.flatMap((address) => (address.kind === 'unix' ? [address.path] : []));
    this.ended = this.#watch();
    // A child that is gone has said so by its exit.
    this.#child.stdin?.on('error', () => {});
    this.#child.stdin?.write(`${JSON.stringify(options)}\n`);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it listens: where, and where its token is. Rejects with what it says, or when it ends before. */
  async listening(): Promise<{ rpc: RpcAddress[]; tokenFile: string }> {
    const { stdout } = this.#child;
    if (stdout === null) throw await this.ended;
    const line = Promise.withResolvers<string>();
    const lines = createInterface({ input: stdout });
    lines.once('line', (text) => line.resolve(text));
    const first = await Promise.race([line.promise, this.ended]);
    lines.close();
    // Left unread, a full pipe would block it.
    stdout.resume();
    if (first instanceof MeshError) throw first;
    if (first instanceof Error) throw new MeshError('mesh_down', first.message, { cause: first });
    const word = JSON.parse(first) as SupervisedWord;
    if (!word.ok) throw MeshError.fromFailure(word);
    return {
      rpc: word.rpc.map(parseRpcAddress).filter((address) => address !== undefined),
      tokenFile: word.token_file,
    };
  }

  /** Asks it to end, and kills it when it does not. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const cancelTimer = systemClock.setTimer(graceMs, () => void this.kill());
    await this.ended;
    cancelTimer();
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.ended;
  }

  async #watch(): Promise<Error> {
    const cause = await new Promise<Error>((resolve) => {
      this.#child.once('error', (cause) => resolve(notStarted(cause)));
      this.#child.once('exit', (code, signal) =>
        resolve(new Error(`The P2P process ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}.`)),
      );
    });
    // Killed, it could not remove them by itself.
    await Promise.all(this.#sockets.map(removeIfDead));
    return cause;
  }
}

function notStarted(cause: Error): MeshError {
  const permission =
    cause.name === 'NotCapable' ? ' “npm run start:process:deno” has the permissions that it takes.' : '';
  return new MeshError('invalid_config', `The P2P process could not be started: ${cause.message}.${permission}`, {
    cause,
  });
}
