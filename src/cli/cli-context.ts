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
  readonly rows?: number | undefined;
}

/** Called once, when a service is ready: what people read, and the same for the program that started it. */
export type PrintReady = (text: string, facts: Record<string, unknown>) => void;

/** What `taskmesh proxy` serves. */
export interface ProxyOptions {
  readonly mesh: Mesh;
  /** The peer, as the operations name it. */
  readonly peer: { readonly remote_peer_id?: string; readonly remote_multiaddr?: string };
  /** What clients are told about the server. */
  readonly info: { readonly name: string; readonly title: string; readonly version: string };
  readonly instructions: string | undefined;
  /** A loopback port; undefined: standard input and output. */
  readonly http?: { readonly port: number; onListening(url: string): void };
  /** Ends it. */
  readonly signal: AbortSignal;
}

export interface CliContext {
  /** Without the runtime and the script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read when an argument is `-`; `process.stdin` fits. */
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean | undefined };
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
  serve(settings: Settings, print: PrintReady): Promise<number>;
  /** Runs a node that servers share until it is told to end; answers the exit code. */
  serveP2p(settings: Settings, print: PrintReady): Promise<number>;
  /** Serves a peer as a local MCP server, until its standard input ends or the signal fires. */
  proxy(options: ProxyOptions): Promise<void>;
  /** Starts a node in this process for a command with `--join`. Disposing of it stops it. */
  joinMesh(settings: Settings): Promise<Mesh & AsyncDisposable>;
  /**
   * Calls `stop` when the user or the system asks the program to end (SIGINT, SIGTERM), until the returned function is
   * called. `serve` and `serveP2p` hear signals by themselves.
   */
  onStopSignal(stop: () => void): () => void;
}
