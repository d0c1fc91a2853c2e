/** Reads a command's flags and positional arguments. Called by `runCli`; knows nothing of what they mean. */

import { parseArgs } from 'node:util';
import { didYouMean } from '../config/nearest.ts';
import { UsageError } from './usage-error.ts';

export interface Flag {
  /** `switch` takes no value and has a `--no-…`; `list` may be repeated. */
  readonly kind: 'text' | 'switch' | 'list';
  readonly summary: string;
  /** What stands for the value in the help. */
  readonly placeholder?: string;
  /** The default as people read it. */
  readonly defaultText?: string;
  /** Accepted, and left out of the help: there is a shorter way to say the same. */
  readonly hidden?: boolean;
  /** One letter. */
  readonly short?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

export type FlagValue = string | boolean | readonly string[];

export interface ParsedArguments {
  readonly flags: Readonly<Record<string, FlagValue | undefined>>;
  readonly positionals: readonly string[];
}

/**
 * Throws `UsageError` for an unknown flag (with the nearest one, or with what `placed` says of one that is an argument without a
 * flag) and for a flag without its value.
 */
export function parseFlags(
  argv: readonly string[],
  known: Flags,
  placed: (name: string) => string | undefined = () => undefined,
): ParsedArguments {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { kind, short }]) => [
      name,
      { type: kind === 'switch' ? ('boolean' as const) : ('string' as const), ...(short ? { short } : {}) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const flags: Record<string, FlagValue> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option') read(token, known, flags, placed);
  }
  return { flags, positionals };
}

interface OptionToken {
  name: string;
  rawName: string;
  value: string | undefined;
  inlineValue: boolean | undefined;
}

function read(
  { name, rawName, value, inlineValue }: OptionToken,
  known: Flags,
  flags: Record<string, FlagValue>,
  placed: (name: string) => string | undefined,
): void {
  const off = name.startsWith('no-') ? name.slice(3) : undefined;
  if (!Object.hasOwn(known, name) && off !== undefined && known[off]?.kind === 'switch') {
    flags[off] = false;
    return;
  }
  const flag = Object.hasOwn(known, name) ? known[name] : undefined;
  if (flag === undefined) {
    const without = placed(name);
    if (without !== undefined) throw new UsageError(without);
    const near = didYouMean(name, Object.keys(known), '--');
    throw new UsageError(`There is no flag ${rawName} here.${near} --help lists those that there are.`);
  }
  if (flag.kind === 'switch') {
    // The text after an equals sign is checked where the other settings are.
    flags[name] = value ?? true;
    return;
  }
  if (value === undefined || (inlineValue !== true && value.startsWith('--'))) {
    throw new UsageError(`${rawName} needs a value: ${rawName} ${flag.placeholder ?? 'VALUE'}`);
  }
  flags[name] = flag.kind === 'list' ? [...((flags[name] as string[] | undefined) ?? []), value] : value;
}
