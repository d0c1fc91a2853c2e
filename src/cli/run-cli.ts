/**
 * The command line: finds the command, reads flags and settings, runs it, and says what came of it.
 *
 * Called by `entrypoints/cli.ts` and by tests. What a command answers goes to standard output (with `--json` exactly one JSON
 * object), everything else to standard error. Exit codes: 0 success, 1 the operation failed, 2 the command line or a setting
 * is at fault, 130 interrupted.
 */

import { readFileSync } from 'node:fs';
import { didYouMean } from '../config/nearest.ts';
import { readSettings } from '../config/read-settings.ts';
import type { Settings } from '../config/settings.ts';
import { version } from '../mesh/build.ts';
import { systemClock } from '../mesh/clock.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { CliContext } from './cli-context.ts';
import { type Command, type CommandCall, exitCodeOf, type Outcome } from './command.ts';
import { commands } from './commands.ts';
import { type Flags, type ParsedArguments, parseFlags } from './flags.ts';
import { commandHelp, familyHelp, joinFlag, overview, settingFlags, usageLine } from './help.ts';
import { printable, styleOf } from './style.ts';
import { UsageError } from './usage-error.ts';

/** Answers the exit code. Never rejects for what a user can cause. */
export async function runCli(context: CliContext): Promise<number> {
  const { argv, stdout, stderr } = context;
  const [first] = argv;
  if (first === '--version' || first === '-v') return say(stdout, version);
  if (first === '--help' || first === '-h' || first === 'help') return help(context);
  if (first === undefined) {
    stderr.write(`${overview(commands)}\n`);
    return 2;
  }
  const members = familyOf(first);
  if (members.length > 0 && argv.slice(1).every((word) => word === '--help' || word === '-h') && argv.length > 1) {
    return say(stdout, familyHelp(first, members));
  }
  let json = argv.includes('--json');
  try {
    const { command, rest } = commandOf(argv);
    const parsed = parseFlags(rest, knownFlags(command), (name) => withoutFlag(command, name));
    if (parsed.flags.help === true) return say(stdout, commandHelp(command));
    const settings = settingsOf(context, command, parsed);
    json = settings.json;
    const outcome = await run(command, parsed, settings, context);
    if (json) stdout.write(outcome.answer === undefined ? '' : `${JSON.stringify(outcome.answer)}\n`);
    else if (outcome.text !== undefined) stdout.write(`${outcome.text}\n`);
    if (!json && outcome.hint !== undefined) stderr.write(`${outcome.hint}\n`);
    return outcome.exitCode;
  } catch (thrown) {
    if (thrown === interrupted) {
      stderr.write('Interrupted.\n');
      return 130;
    }
    return sayError(thrown, json, context);
  }
}

/** Thrown when a command ended because it was interrupted. */
const interrupted = new Error('interrupted');

async function run(
  command: Command,
  { flags, positionals }: ParsedArguments,
  settings: Settings,
  context: CliContext,
): Promise<Outcome> {
  const given = placed(command, positionals);
  const stopping = new AbortController();
  const unhook = command.needs === 'client' ? context.onStopSignal(() => stopping.abort()) : () => {};
  await using meshes = new AsyncDisposableStack();
  let opening: Promise<Mesh> | undefined;
  const call: CommandCall = {
    context,
    settings,
    flags,
    arguments: given,
    style: styleOf(context.stdout, context.env),
    clock: context.clock ?? systemClock,
    signal: stopping.signal,
    mesh() {
      opening ??= openMesh(flags.join === true, settings, context).then((mesh) => meshes.use(mesh));
      return opening;
    },
  };
  try {
    return await command.run(call);
  } catch (thrown) {
    throw stopping.signal.aborted ? interrupted : thrown;
  } finally {
    unhook();
  }
}

async function openMesh(join: boolean, settings: Settings, context: CliContext): Promise<Mesh & AsyncDisposable> {
  if (join) return await context.joinMesh(settings);
  const { createHttpMesh } = await import('./http-mesh.ts');
  return createHttpMesh({ url: settings.url, version });
}

function commandOf(argv: readonly string[]): { command: Command; rest: readonly string[] } {
  const [first = '', second = ''] = argv;
  const two = commands.find(({ name }) => name === `${first} ${second}`);
  if (two !== undefined) return { command: two, rest: argv.slice(2) };
  const one = commands.find(({ name }) => name === first);
  if (one !== undefined) return { command: one, rest: argv.slice(1) };
  if (first.startsWith('-')) throw new UsageError(`The command comes first: taskmesh <command> ${argv.join(' ')}`);
  const family = familyOf(first).map(({ name }) => name);
  if (family.length > 0) throw new UsageError(`"${first}" is one of: ${family.join(', ')}.`);
  const near = didYouMean(
    first,
    commands.map(({ name }) => name),
    'taskmesh ',
  );
  throw new UsageError(`There is no command "${first}".${near} "taskmesh --help" lists them.`);
}

/** The commands of two words that begin with this one. */
function familyOf(word: string): Command[] {
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

/** What somebody is told who writes a flag for an argument that has none, such as `claim --type`. */
function withoutFlag(command: Command, name: string): string | undefined {
  const labels = command.positionals.flatMap(({ label }) => label.split('|'));
  const meant = labels.find((label) => [label, `${label}S`].includes(name.toUpperCase()));
  return meant && `${command.name} takes ${meant} without a flag: ${usageLine(command)}`;
}

/** Every setting is a flag of every command, so that a wrapper may pass them all. */
function knownFlags(command: Command): Flags {
  return {
    ...settingFlags('all'),
    ...(command.needs === 'client' ? { join: joinFlag } : {}),
    ...command.flags,
    help: { kind: 'switch', summary: 'Show this.', short: 'h' },
  };
}

function settingsOf(context: CliContext, command: Command, { flags }: ParsedArguments): Settings {
  return readSettings({
    ...context,
    flags,
    readFile: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch (thrown) {
        const { code } = thrown as { code?: string };
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw new UsageError(`${path} cannot be read: ${(thrown as Error).message}.`);
      }
    },
    purpose: command.needs === 'node' || flags.join === true ? 'node' : 'client',
  });
}

/** Gives each positional its arguments. Throws `UsageError` when one is missing or left over. */
function placed(command: Command, positionals: readonly string[]): Record<string, readonly string[]> {
  const left = [...positionals];
  const found: Record<string, readonly string[]> = {};
  for (const { name, label, required, rest } of command.positionals) {
    const taken = rest ? left.splice(0) : left.splice(0, 1);
    if (required && taken.length === 0) {
      throw new UsageError(`${command.name} needs ${label}: ${usageLine(command)}`);
    }
    found[name] = taken;
  }
  if (left.length > 0) {
    throw new UsageError(`${command.name} does not take "${left[0]}": ${usageLine(command)}`);
  }
  return found;
}

function help({ argv, stdout, stderr }: CliContext): number {
  const words = argv.slice(1).filter((word) => !word.startsWith('-'));
  if (words.length === 0) return say(stdout, overview(commands));
  const command = commands.find(({ name }) => name === words.join(' '));
  if (command !== undefined) return say(stdout, commandHelp(command));
  const [word = ''] = words;
  const family = words.length === 1 ? familyOf(word) : [];
  if (family.length > 0) return say(stdout, familyHelp(word, family));
  stderr.write(`There is no command "${words.join(' ')}".\n`);
  return 2;
}

function say(output: { write(text: string): unknown }, text: string): number {
  output.write(`${text}\n`);
  return 0;
}

function sayError(thrown: unknown, json: boolean, { stdout, stderr, env }: CliContext): number {
  const error = toMeshError(thrown);
  if (json) stdout.write(`${JSON.stringify(error.toFailure())}\n`);
  const again = error.retryable ? '; the same may work later' : '';
  const style = styleOf(stderr, env);
  stderr.write(`${style.error('error:')} ${printable(error.message)} ${style.faint(`(${error.code}${again})`)}\n`);
  // An error of unknown kind hides its cause in answers; whoever sits at the terminal may see it.
  if (error.code === 'internal_error' && error.cause instanceof Error) stderr.write(`${error.cause.stack}\n`);
  return exitCodeOf(error);
}
