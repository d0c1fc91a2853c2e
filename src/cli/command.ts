/** What a command is. */

import type { Settings } from '../config/settings.ts';
import type { Clock } from '../mesh/clock.ts';
import type { ErrorCode, MeshError } from '../mesh/errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { CliContext } from './cli-context.ts';
import type { Flags, FlagValue } from './flags.ts';
import type { Style } from './style.ts';

export const groups = ['Nodes', 'Trust', 'Give work', 'Do work', 'Cache'] as const;

export interface Command {
  /** One or two words: `submit`, `cache get`. */
  readonly name: string;
  readonly group: (typeof groups)[number];
  /** One line. */
  readonly summary: string;
  /** More, for the command's own help. */
  readonly description?: string;
  readonly positionals: readonly Positional[];
  /** Besides the settings, which all commands take. */
  readonly flags: Flags;
  /** `node`: it takes the settings of a node that is started here; `client`: those of asking one; `none`: it does neither. */
  readonly needs: 'node' | 'client' | 'none';
  /** Command lines that do something useful, without the program's name; at least one. */
  readonly examples: readonly string[];
  run(call: CommandCall): Promise<Outcome>;
}

export interface Positional {
  /** The field of the input, or a name of the command's own. */
  readonly name: string;
  /** What the help calls it. */
  readonly label: string;
  readonly required: boolean;
  /** What it means; undefined: its name says it. */
  readonly summary?: string;
  /** Takes all the rest. */
  readonly rest?: boolean;
}

/** One call of a command. */
export interface CommandCall {
  readonly context: CliContext;
  readonly settings: Settings;
  readonly flags: Readonly<Record<string, FlagValue | undefined>>;
  /** What stood in the place of each positional. */
  readonly arguments: Readonly<Record<string, readonly string[]>>;
  readonly style: Style;
  readonly clock: Clock;
  /** Aborted when the user or the system wants the program to end. */
  readonly signal: AbortSignal;
  /** The node to ask; connects with the first call. */
  mesh(): Promise<Mesh>;
}

/** What a command has to say, once it is done. */
export interface Outcome {
  /** The answer for `--json`. Undefined: it has been given, when a service was ready. */
  readonly answer: ({ ok: true } & Record<string, unknown>) | undefined;
  /** The answer for people; without a newline at the end. Undefined: all has been said. */
  readonly text: string | undefined;
  /** 0, or 1 when the call went well and what it tells is a failure: a task that failed, a wait that ended too early. */
  readonly exitCode: number;
  /** What to do next, for people, on standard error. */
  readonly hint?: string;
}

const usageCodes: ReadonlySet<ErrorCode> = new Set([
  'invalid_params',
  'invalid_config',
  'invalid_multiaddr',
  'invalid_peer_id',
]);

/** An error that ends a command: the exit code is 2 when the command line or a setting is at fault. */
export function exitCodeOf(error: MeshError): 1 | 2 {
  return usageCodes.has(error.code) ? 2 : 1;
}
