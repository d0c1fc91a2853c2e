/**
 * The P2P service as a child process: `src/bridge/child-process.ts` starts it and talks to it. One line of JSON comes in, the
 * options; one line goes out, that it listens or why it does not. It ends when its standard input does, and so with its
 * server, whatever that one died of. Signals are the server's business: in a terminal Ctrl-C reaches both, and the calls that
 * the server still answers need their node.
 */

import process from 'node:process';
import { createInterface } from 'node:readline';
import type { SupervisedOptions, SupervisedWord } from '../src/bridge/child-process.ts';
import { openService } from '../src/bridge/open-service.ts';
import type { LogLevel } from '../src/config/settings.ts';
import { configureLogs } from '../src/logs.ts';
import { MeshError, toMeshError } from '../src/mesh/errors.ts';
import { formatRpcAddress } from '../src/mesh/rpc-address.ts';

/** Runs until standard input ends; then ends the process. */
export async function superviseP2p(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const input = createInterface({ input: process.stdin });
  const ended = new Promise<void>((resolve) => input.once('close', resolve));
  const first = await Promise.race([new Promise<string>((resolve) => input.once('line', resolve)), ended]);
  if (first === undefined) process.exit(0);
  const exitCode = await run(first, ended);
  process.exit(exitCode);
}

async function run(line: string, ended: Promise<void>): Promise<number> {
  try {
    const options = optionsOf(line);
    await configureLogs(options.logLevel as LogLevel);
    const service = await openService(options);
    await say({ ok: true, rpc: service.rpc.map(formatRpcAddress), token_file: service.tokenFile });
    await ended;
    await service.stop();
    return 0;
  } catch (thrown) {
    const error = toMeshError(thrown);
    if (error.code === 'internal_error') process.stderr.write(`${(thrown as Error).stack}\n`);
    await say(error.toFailure());
    return 1;
  }
}

function optionsOf(line: string): SupervisedOptions {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new MeshError('invalid_config', 'A supervised P2P service is started by a server. Start "taskmesh p2p".', {
      cause,
    });
  }
}

function say(word: SupervisedWord): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(word)}\n`, () => resolve()));
}
