/** The flags by which an operator says what a peer may do, for `invite`, `join` and `grant`; and the same in words. */

import { z } from 'zod';
import { everything, type Grant, grant, noGrant, type Reach, reaches } from '../mesh/grant.ts';
import type { CommandCall } from './command.ts';
import type { Flag, Flags } from './flags.ts';
import { UsageError } from './usage-error.ts';

/** Stands for an empty list. */
const none = 'none';

export const grantFlags: Flags = {
  may: {
    kind: 'list',
    placeholder: 'WORDS',
    summary:
      'All that is allowed, and nothing besides: submit, work, see, cancel, cache, tools, introduce; with a name behind a colon only that: submit:text.stats,submit:report,see:own. Separate by commas, without blanks, or repeat the flag. The flags below go on top of it.',
  },
  submit: {
    kind: 'list',
    placeholder: 'TYPES',
    summary:
      'Task types that may be submitted: these and no others, with commas between them; * is all, none is none. So it is with all lists here.',
  },
  work: { kind: 'list', placeholder: 'TYPES', summary: 'Task types that may be claimed.' },
  see: { kind: 'text', placeholder: 'WHOSE', summary: 'Whose tasks may be looked at: all, own, none.' },
  cancel: { kind: 'text', placeholder: 'WHOSE', summary: 'Whose tasks may be cancelled and retried: all, own, none.' },
  tool: { kind: 'list', placeholder: 'NAMES', summary: 'Tools of this node that may be called.' },
  'cache-read': { kind: 'list', placeholder: 'PREFIXES', summary: 'Beginnings of cache keys that may be read.' },
  'cache-write': { kind: 'list', placeholder: 'PREFIXES', summary: 'Beginnings of cache keys that may be changed.' },
  rate: {
    kind: 'text',
    placeholder: 'NUMBER',
    summary: 'Requests a second at most; none: as many as the node takes of any peer.',
  },
  introduce: { kind: 'switch', summary: 'Serve those whom the peer invites as well, within what it may itself.' },
};

/** The flag by which `grant` takes nothing away. */
export const addFlag: Flag = {
  kind: 'list',
  placeholder: 'WORDS',
  summary:
    'Allow this besides what is allowed already, in the words of --may: submit:text.stats,tools:word_count; also cache_read and cache_write.',
};

/** What the flags say, on top of what is allowed without them. Throws `UsageError`. */
export function readGrant({ flags }: CommandCall, otherwise: Grant): Grant {
  const given: Record<string, unknown> = {
    ...(flags.may === undefined ? otherwise : allowed('may', flags.may, noGrant)),
  };
  for (const [flag, field] of Object.entries(listFields))
    if (flags[flag] !== undefined) given[field] = words(flag, flags[flag]).filter((word) => word !== none);
  for (const field of ['see', 'cancel', 'introduce'] as const)
    if (flags[field] !== undefined) given[field] = flags[field];
  if (flags.add !== undefined) Object.assign(given, allowed('add', flags.add, given as Grant));
  if (flags.rate !== undefined) given.requests_per_second = readRate(flags.rate);
  const checked = grant.safeParse(given);
  if (checked.success) return checked.data;
  throw new UsageError(
    `What the peer may do is not said right: ${z.prettifyError(checked.error).replaceAll('\n', ' ')}`,
  );
}

function readRate(written: unknown): number | undefined {
  if (written === none) return undefined;
  const rate = Number(written);
  if (written !== '' && rate > 0 && rate <= 1_000_000) return rate;
  throw new UsageError(`--rate must be a number over 0, up to 1000000, or none; it is "${written}".`);
}

const listFields = {
  submit: 'submit',
  work: 'work',
  tool: 'tools',
  'cache-read': 'cache_read',
  'cache-write': 'cache_write',
} as const;

function words(flag: string, value: unknown): string[] {
  const texts = Array.isArray(value) ? value : [value];
  const found = texts.flatMap((text) => String(text).split(',')).map((word) => word.trim());
  const odd = found.find((word) => /\s/.test(word));
  if (odd === undefined) return found.filter((word) => word !== '');
  throw new UsageError(
    `--${flag} "${odd}" has blanks in it. Separate by commas, as in --${flag} ${odd.replaceAll(/\s+/g, ',')}, or repeat --${flag}. A name with blanks is allowed by * alone.`,
  );
}

/** `submit`, `see:own`, … on top of what is allowed without them. */
function allowed(flag: string, said: unknown, otherwise: Grant): Grant {
  const made: Grant = { ...otherwise };
  for (const word of words(flag, said)) {
    const colon = word.indexOf(':');
    const name = colon < 0 ? word : word.slice(0, colon);
    const what = colon < 0 ? everything : word.slice(colon + 1);
    const add = (field: 'submit' | 'work' | 'tools' | 'cache_read' | 'cache_write'): void => {
      made[field] = what === everything ? [everything] : [...new Set([...made[field], what])];
    };
    if (name === 'submit' || name === 'work' || name === 'tools') add(name);
    else if (name === 'cache_read' || name === 'cache_write') add(name);
    else if (name === 'cache') for (const field of ['cache_read', 'cache_write'] as const) add(field);
    else if (name === 'see' || name === 'cancel') made[name] = further(made[name], (colon < 0 ? 'all' : what) as Reach);
    else if (name === 'introduce') made.introduce = true;
    else if (name !== none)
      throw new UsageError(
        `--${flag} does not know "${word}". It knows submit, work, see, cancel, cache, tools, introduce.`,
      );
  }
  return made;
}

/** The one that reaches further; a word that is none is told of by the check of the whole. */
function further(one: Reach, other: Reach): Reach {
  return reaches.includes(other) && reaches.indexOf(other) < reaches.indexOf(one) ? one : other;
}

/** What a grant allows, as a sentence's end. */
export function grantWords(allows: Grant): string {
  const list = (names: readonly string[], all: string, some: (names: string) => string): string[] =>
    names.length === 0 ? [] : [names.includes(everything) ? all : some(names.join(', '))];
  const said = [
    ...list(allows.submit, 'submit tasks', (names) => `submit tasks of the types ${names}`),
    ...list(allows.work, 'work on tasks', (names) => `work on tasks of the types ${names}`),
    ...(allows.see === 'none' ? [] : [allows.see === 'all' ? 'see all tasks' : 'see its own tasks']),
    ...(allows.cancel === 'none' ? [] : [allows.cancel === 'all' ? 'cancel any task' : 'cancel its own tasks']),
    ...list(allows.tools, 'call all tools', (names) => `call the tools ${names}`),
    ...list(allows.cache_read, 'read the cache', (names) => `read the cache under ${names}`),
    ...list(allows.cache_write, 'write the cache', (names) => `write the cache under ${names}`),
    ...(allows.introduce ? ['introduce others'] : []),
  ];
  const rate = allows.requests_per_second === undefined ? '' : `, at ${allows.requests_per_second} requests a second`;
  return said.length === 0 ? 'nothing at all' : `${said.join(', ')}${rate}`;
}
