/**
 * What a node lets a peer do. Kept with each listed peer, written into tickets and memberships, and checked with every request
 * of the peer. Names are those of the files and of the command line; docs/security.md says what each field opens.
 */

import { z } from 'zod';

/** Everything, where a list of names stands. */
export const everything = '*';

/** Entries of one list: each is compared with every request. */
const maxEntries = 100;

const names = (what: string) => z.array(z.string().min(1).max(512)).max(maxEntries).describe(what);

/** Whose tasks: those that the peer submitted itself (or, to look at, holds the lease of), those of everybody, or none. */
export const reaches = ['none', 'own', 'all'] as const;
export type Reach = (typeof reaches)[number];

export const grant = z.strictObject({
  submit: names('Task types that the peer may submit.'),
  work: names('Task types that the peer may claim; with any of them it may also end what it claimed.'),
  see: z.enum(reaches).describe('Whose tasks the peer may look at and wait for.'),
  cancel: z.enum(reaches).describe('Whose tasks the peer may cancel and retry.'),
  tools: names('Tools of the node that the peer may call.'),
  cache_read: names('Beginnings of the keys that the peer may read.'),
  cache_write: names('Beginnings of the keys that the peer may set and delete.'),
  requests_per_second: z
    .number()
    .positive()
    .max(1_000_000)
    .optional()
    .describe('Requests a second; without it, the node’s own limit.'),
  introduce: z.boolean().describe('Whether the node also serves those whom the peer has invited, within this grant.'),
});

export type Grant = z.infer<typeof grant>;

/** What a peer that joined may do unless it was said otherwise: submit and work; no tools, nobody to introduce. */
export const defaultGrant: Grant = {
  submit: [everything],
  work: [everything],
  see: 'all',
  cancel: 'own',
  tools: [],
  cache_read: [everything],
  cache_write: [everything],
  introduce: false,
};

/** Nothing at all. */
export const noGrant: Grant = {
  submit: [],
  work: [],
  see: 'none',
  cancel: 'none',
  tools: [],
  cache_read: [],
  cache_write: [],
  introduce: false,
};

/** Whether a list of names has this one, or all. */
export function hasName(list: readonly string[], name: string): boolean {
  return list.includes(everything) || list.includes(name);
}

/** Whether a key begins with one of the prefixes. */
export function hasPrefix(prefixes: readonly string[], key: string): boolean {
  return prefixes.some((prefix) => prefix === everything || key.startsWith(prefix));
}

/** What both allow: nobody can hand on more than they have. `introduce` is never handed on. */
export function commonGrant(one: Grant, other: Grant): Grant {
  const rates = [one.requests_per_second, other.requests_per_second].filter((rate) => rate !== undefined);
  return {
    submit: commonNames(one.submit, other.submit),
    work: commonNames(one.work, other.work),
    see: lesser(one.see, other.see),
    cancel: lesser(one.cancel, other.cancel),
    tools: commonNames(one.tools, other.tools),
    cache_read: commonPrefixes(one.cache_read, other.cache_read),
    cache_write: commonPrefixes(one.cache_write, other.cache_write),
    ...(rates.length === 0 ? {} : { requests_per_second: Math.min(...rates) }),
    introduce: false,
  };
}

function commonNames(one: readonly string[], other: readonly string[]): string[] {
  if (one.includes(everything)) return [...other];
  return other.includes(everything) ? [...one] : one.filter((name) => other.includes(name));
}

function commonPrefixes(one: readonly string[], other: readonly string[]): string[] {
  const within = [
    ...one.filter((prefix) => prefix !== everything && hasPrefix(other, prefix)),
    ...other.filter((prefix) => prefix !== everything && hasPrefix(one, prefix)),
  ];
  if (one.includes(everything) && other.includes(everything)) return [everything];
  return [...new Set(within)].slice(0, maxEntries);
}

function lesser(one: Reach, other: Reach): Reach {
  return reaches[Math.min(reaches.indexOf(one), reaches.indexOf(other))] ?? 'none';
}
