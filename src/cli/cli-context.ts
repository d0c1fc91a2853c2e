/** What the command line needs from the program around it. Made by `entrypoints/cli.ts` and by tests. */

import type { Settings } from '../config/settings.ts';
import type { Clock } from '../mesh/clock.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { Layout } from '../mesh/node-options.ts';

/** `process.stdout` fits, and so does a test's collector. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface CliContext {
  /** Without the runtime and the script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read when an argument is `-`; `process.stdin` fits. */
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** The working folder. */
  readonly folder: string;
  /** The user's home folder. */
  readonly home: string;
  /** What a worker calls itself unless `--worker-id` says otherwise, such as `<host name>-<process id>`. */
  readonly workerId: string;
  /** How this runtime runs a script: `scriptCommand` of `src/work/program.ts`. */
  readonly scriptCommand: readonly string[];
  readonly defaults: { readonly layout: Layout };
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Runs a node and its MCP server until it is told to end; answers the exit code. */
  serve(settings: Settings, print: (text: string) => void): Promise<number>;
  /** Runs a node that servers share until it is told to end; answers the exit code. */
  serveP2p(settings: Settings, print: (text: string) => void): Promise<number>;
  /** Starts a node in this process for a command with `--join`. Disposing of it stops it. */
  joinMesh(settings: Settings): Promise<Mesh & AsyncDisposable>;
  /**
   * Calls `stop` when the user or the system asks the program to end (SIGINT, SIGTERM), until the returned function is
   * called. `serve` and `serveP2p` hear signals by themselves.
   */
  onStopSignal(stop: () => void): () => void;
}
