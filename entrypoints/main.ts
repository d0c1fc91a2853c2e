/**
 * The command line with everything it needs from the process: the one place that reads argv, environment and home folder.
 * All entrypoints end up here; `node.ts` and `deno.ts` are `taskmesh serve` with their runtime's default layout.
 */

import { homedir, hostname } from 'node:os';
import process from 'node:process';
import { openMesh } from '../src/bridge/open-mesh.ts';
import { runCli } from '../src/cli/run-cli.ts';
import type { Settings } from '../src/config/settings.ts';
import { configureLogs } from '../src/logs.ts';
import { runtime } from '../src/mesh/build.ts';
import { checked } from '../src/mesh/checked.ts';
import type { Layout } from '../src/mesh/node-options.ts';
import { scriptCommand } from '../src/work/program.ts';
import { nodeOptions } from './node-options.ts';
import { processOptions } from './process-options.ts';
import { onStopSignal } from './stop-signal.ts';

/** What wins on each runtime: on Node the bridge keeps the server's loop free, on Deno the loop is shared. */
const defaultLayout: Readonly<Record<typeof runtime.name, Layout>> = { node: 'worker', deno: 'inline' };

/** Runs the command line; `command` stands before what the user typed. Ends the process with the exit code. */
export async function main(...command: readonly string[]): Promise<void> {
  const exitCode = await runCli({
    argv: [...command, ...process.argv.slice(2)],
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    folder: process.cwd(),
    home: homedir(),
    workerId: `${hostname()}-${process.pid}`,
    scriptCommand: scriptCommand(runtime.name, process.execPath),
    defaults: { layout: defaultLayout[runtime.name] },
    // The P2P service needs no MCP server, and the other way round.
    serve: async (settings, print) => (await import('./serve.ts')).serve(settings, print),
    serveP2p: async (settings, print) => (await import('./serve-p2p.ts')).serveP2p(settings, print),
    proxy: async (options) => (await import('./proxy.ts')).proxy(options),
    joinMesh,
    onStopSignal,
  });
  // Everything is closed by now, but for the BroadcastChannel of libp2p's lock library, which would keep Deno alive.
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  process.exit(exitCode);
}

async function joinMesh(settings: Settings) {
  await configureLogs(settings.logLevel);
  const { layout, logLevel } = settings;
  const mesh = await openMesh({
    layout,
    node: nodeOptions(settings),
    logLevel,
    process: processOptions(settings),
    onDown: () => {},
  });
  await mesh.start();
  return { ...checked(mesh), [Symbol.asyncDispose]: () => mesh.stop() };
}
