/**
 * What a setting is, and how its text is read: one parser per kind, each saying what it allows.
 *
 * Called by `readSettings`, which adds where a bad text came from.
 */

import { isAbsolute, join, resolve } from 'node:path';
import { multiaddr } from '@multiformats/multiaddr';
import { grant } from '../mesh/grant.ts';
import { formatRpcAddress, maxSocketPathBytes, parseRpcAddress } from '../mesh/rpc-address.ts';

export interface Setting {
  readonly kind: Kind;
  /** One line, for `--help` and the documentation. */
  readonly summary: string;
  /** A value as one would write it. */
  readonly example: string;
  /** The default as people read it, where the value itself does not say it. */
  readonly defaultText?: string;
  /** Who has a use for it: a node that is started, a command that asks one, or both. */
  readonly audience: 'node' | 'client' | 'both';
  /** The words that a `choice` allows. */
  readonly choices?: readonly string[];
}

type Kind =
  | 'text'
  | 'path'
  | 'port'
  | 'seconds'
  | 'host'
  | 'url'
  | 'choice'
  | 'switch'
  | 'service'
  | 'grant'
  | 'list'
  | 'multiaddrs'
  | 'peers'
  | 'places'
  | 'python-places'
  | 'services';

export interface ReadContext {
  /** Relative paths start here: the working folder, or the config file's own folder. */
  readonly folder: string;
  /** `~` stands for this folder. */
  readonly home: string;
}

interface KindEntry {
  /** What is allowed, for people. */
  readonly allowed: string;
  /** Answers undefined when the text does not fit. */
  read(text: string, context: ReadContext, setting: Setting): unknown;
}

const switchWords: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  1: true,
  off: false,
  false: false,
  no: false,
  0: false,
};

const serviceWords = `unix:/path (at most ${maxSocketPathBytes} bytes) or http://127.0.0.1:<port>`;

const textKinds = {
  text: { allowed: 'text that is not empty', read: (text) => text },
  path: { allowed: 'a path', read: (text, context) => absolutePath(text, context) },
  port: {
    allowed: 'a whole number from 0 to 65535 (0: any free port)',
    read: (text) => (/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
  },
  host: {
    allowed: 'an IP address or a host name, without a port',
    read: (text) => (/^(\[?[0-9a-f:.]+\]?|[a-z0-9.-]+)$/i.test(text) ? text.replace(/^\[(.*)\]$/, '$1') : undefined),
  },
  url: { allowed: 'an http:// or https:// URL', read: (text) => (isHttpUrl(text) ? text : undefined) },
  choice: {
    allowed: 'one of the words',
    read: (text, _context, setting) => (setting.choices?.includes(text) ? text : undefined),
  },
  switch: { allowed: 'on or off', read: (text) => switchWords[text.toLowerCase()] },
  service: { allowed: serviceWords, read: (text, context) => rpcAddress(text, context) },
  seconds: {
    allowed: 'seconds, from 1 to 3600',
    read: (text) =>
      /^\d+(\.\d+)?$/.test(text) && Number(text) >= 1 && Number(text) <= 3600 ? Number(text) : undefined,
  },
  grant: { allowed: `JSON with some of ${Object.keys(grant.shape).join(', ')}`, read: (text) => partOfGrant(text) },
} as const satisfies Partial<Record<Kind, KindEntry>>;

/** Lists are read item by item. */
const listKinds = {
  list: { allowed: 'text without spaces', read: (text) => (/\s/.test(text) ? undefined : text) },
  multiaddrs: {
    allowed: 'multiaddrs such as /ip4/127.0.0.1/tcp/4001',
    read: (text) => (isMultiaddr(text) ? text : undefined),
  },
  peers: {
    allowed: 'multiaddrs that end in /p2p/<peer id>',
    read: (text) => (isMultiaddr(text) && /\/p2p\/[^/]+$/.test(text) ? text : undefined),
  },
  places: {
    allowed: 'multiaddrs that end in /p2p/<peer id>, or paths of other nodes’ announce files',
    read: (text, context) => {
      if (!looksLikeMultiaddr(text)) return absolutePath(text, context);
      return isMultiaddr(text) && /\/p2p\/[^/]+$/.test(text) ? text : undefined;
    },
  },
  'python-places': {
    allowed: 'multiaddrs such as /ip4/192.168.1.9/tcp/9710, or paths of announce files',
    read: (text, context) => {
      if (!looksLikeMultiaddr(text)) return absolutePath(text, context);
      return isMultiaddr(text) ? text : undefined;
    },
  },
  services: { allowed: serviceWords, read: (text, context) => rpcAddress(text, context) },
} as const satisfies Partial<Record<Kind, KindEntry>>;

/** Whether the setting holds several values. */
export function isList(setting: Setting): boolean {
  return Object.hasOwn(listKinds, setting.kind);
}

/** What the setting allows, for people. */
export function allowedOf(setting: Setting): string {
  if (setting.choices !== undefined) return `one of ${setting.choices.join(', ')}`;
  return kindEntry(setting).allowed;
}

/** One value, or undefined when the text does not fit. */
export function readText(setting: Setting, text: string, context: ReadContext): unknown {
  return text === '' ? undefined : kindEntry(setting).read(text, context, setting);
}

/** Whether a text means a multiaddr and not a path: both begin with a slash. */
function looksLikeMultiaddr(text: string): boolean {
  return /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr|p2p)\//.test(text);
}

function kindEntry(setting: Setting): KindEntry {
  return { ...textKinds, ...listKinds }[setting.kind];
}

function absolutePath(text: string, { folder, home }: ReadContext): string {
  if (text === '~' || text.startsWith('~/')) return join(home, text.slice(1));
  return isAbsolute(text) ? text : resolve(folder, text);
}

/** The fields that are named; the others keep their defaults. */
function partOfGrant(text: string): unknown {
  try {
    return grant.partial().parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** With an absolute path. */
function rpcAddress(text: string, context: ReadContext): string | undefined {
  const address = parseRpcAddress(text);
  if (address?.kind !== 'unix') return address && formatRpcAddress(address);
  const path = absolutePath(address.path, context);
  return Buffer.byteLength(path) <= maxSocketPathBytes ? formatRpcAddress({ kind: 'unix', path }) : undefined;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

function isMultiaddr(text: string): boolean {
  try {
    multiaddr(text);
    return true;
  } catch {
    return false;
  }
}
