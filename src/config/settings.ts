/**
 * The one table of settings. Each has one name: `--port` as a flag, `TASKMESH_PORT` in the environment, `"port"` in the
 * config file, `port` (in camel case) in the program. The command line's flags, its help and the documentation are made
 * from this table.
 */

import type { Grant } from '../mesh/grant.ts';
import { type Admission, admissions, type Layout, layouts } from '../mesh/node-options.ts';
import type { Setting } from './setting.ts';

const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export const settings = {
  data: {
    kind: 'path',
    summary: 'Folder of the node’s identity, queue, cache and keys.',
    example: '/srv/taskmesh',
    defaultText: '~/.taskmesh',
    audience: 'both',
  },
  config: {
    kind: 'path',
    summary: 'JSON file with settings under the names of the flags.',
    example: './taskmesh.json',
    defaultText: '<data>/config.json, if there is one',
    audience: 'both',
  },
  port: {
    kind: 'port',
    summary: 'TCP port of the MCP server; 0 takes any free one.',
    example: '7331',
    defaultText: '7330',
    audience: 'both',
  },
  host: {
    kind: 'host',
    summary: 'Address that the MCP server listens on.',
    example: '0.0.0.0',
    defaultText: '127.0.0.1',
    audience: 'node',
  },
  layout: {
    kind: 'choice',
    choices: layouts,
    summary: 'Where the P2P node runs: in the server’s event loop, in a worker thread, or in a process of its own.',
    example: 'worker',
    defaultText: 'worker on Node, inline on Deno; process with --p2p-service',
    audience: 'node',
  },
  'p2p-service': {
    kind: 'service',
    summary:
      'A P2P service that runs already (taskmesh p2p), to be used instead of a node of the server’s own. The node’s settings are then the service’s, and the server’s go unused.',
    example: 'unix:/run/taskmesh/p2p.sock',
    defaultText: 'none: with the layout process, the server runs its own',
    audience: 'node',
  },
  'p2p-token-file': {
    kind: 'path',
    summary: 'File with the token of that P2P service; HTTP needs it.',
    example: '/srv/taskmesh/p2p.token',
    defaultText: '<data>/p2p.token for HTTP, none for a Unix socket',
    audience: 'node',
  },
  'rpc-listen': {
    kind: 'services',
    summary: 'Where the P2P service listens for servers: Unix sockets, loopback HTTP.',
    example: 'http://127.0.0.1:7332',
    defaultText: 'unix:<data>/p2p.sock',
    audience: 'node',
  },
  'p2p-listen': {
    kind: 'multiaddrs',
    summary: 'Multiaddrs that the P2P node listens on. Beyond loopback it needs a mesh key.',
    example: '/ip4/0.0.0.0/tcp/4001',
    defaultText: '/ip4/127.0.0.1/tcp/0 and /ip4/127.0.0.1/tcp/0/ws',
    audience: 'node',
  },
  bootstrap: {
    kind: 'places',
    summary: 'Nodes to connect to: multiaddrs, or paths of their announce files.',
    example: '/ip4/192.168.1.5/tcp/4001/p2p/12D3KooW…',
    defaultText: 'none',
    audience: 'node',
  },
  'announce-file': {
    kind: 'path',
    summary: 'File into which the node writes its peer id and addresses.',
    example: '/run/taskmesh/announce.json',
    defaultText: '<data>/announce.json',
    audience: 'node',
  },
  mdns: {
    kind: 'switch',
    summary: 'Find nodes on the local network by multicast DNS.',
    example: 'off',
    defaultText: 'on',
    audience: 'node',
  },
  dht: {
    kind: 'switch',
    summary: 'Find nodes by the mesh’s own distributed hash table, and be found there.',
    example: 'off',
    defaultText: 'on with a mesh key, off without',
    audience: 'node',
  },
  relay: {
    kind: 'switch',
    summary: 'Carry connections between peers that cannot reach each other.',
    example: 'on',
    defaultText: 'off',
    audience: 'node',
  },
  relays: {
    kind: 'peers',
    summary: 'Nodes started with --relay, by which others reach this one when they cannot dial it.',
    example: '/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…',
    defaultText: 'none',
    audience: 'node',
  },
  'p2p-announce': {
    kind: 'multiaddrs',
    summary: 'Multiaddrs told to others besides those that are listened on: a forwarded port, a proxy.',
    example: '/dns4/node.example/tcp/443/wss',
    defaultText: 'none',
    audience: 'node',
  },
  'mesh-key': {
    kind: 'path',
    summary: 'File with the mesh’s shared key: only nodes that have it can connect.',
    example: '/srv/taskmesh/mesh.key',
    defaultText: '<data>/mesh.key, if there is one',
    audience: 'node',
  },
  admit: {
    kind: 'choice',
    choices: admissions,
    summary: 'Whom a node with a mesh key serves: the peers on its list (invite, grant), or whoever has the key.',
    example: 'mesh-key',
    defaultText: 'listed',
    audience: 'node',
  },
  tools: {
    kind: 'path',
    summary: 'Module of tools that the node offers to its peers.',
    example: './examples/tools.ts',
    defaultText: 'none',
    audience: 'node',
  },
  'python-listen': {
    kind: 'multiaddrs',
    summary: 'Multiaddrs (TCP) to listen on for Python nodes, which know no mesh key: a token stands in its place.',
    example: '/ip4/0.0.0.0/tcp/9710',
    defaultText: 'none: Python nodes cannot connect',
    audience: 'node',
  },
  'python-peers': {
    kind: 'python-places',
    summary: 'Python nodes to use: multiaddrs, with or without a peer id, or paths of their announce files.',
    example: '/ip4/192.168.1.9/tcp/9710',
    defaultText: 'none',
    audience: 'node',
  },
  'python-token-file': {
    kind: 'path',
    summary: 'File with the token that Python nodes show and are shown.',
    example: '/srv/taskmesh/python.token',
    defaultText: '<data>/python.token, if there is one',
    audience: 'node',
  },
  'python-grant': {
    kind: 'grant',
    summary:
      'What whoever holds the token may do, where it differs from the default: submit and work, no tools, no cache.',
    example: '{"cache_read":["*"],"cache_write":["shared/"]}',
    defaultText: '{}',
    audience: 'node',
  },
  'python-lease-s': {
    kind: 'seconds',
    summary: 'Seconds that a Python worker may take for a task: it never renews its lease.',
    example: '1800',
    defaultText: '300',
    audience: 'node',
  },
  'python-legacy': {
    kind: 'switch',
    summary: 'Speak Python nodes’ older protocol too, of one line each way.',
    example: 'on',
    defaultText: 'off',
    audience: 'node',
  },
  'allowed-hosts': {
    kind: 'list',
    summary: 'Host names, besides loopback’s, under which HTTP requests may reach the server.',
    example: 'box.local',
    defaultText: 'none',
    audience: 'node',
  },
  'allowed-origins': {
    kind: 'list',
    summary: 'Origins, besides loopback’s, whose web pages may call the server.',
    example: 'https://app.example',
    defaultText: 'none',
    audience: 'node',
  },
  'log-level': {
    kind: 'choice',
    choices: logLevels,
    summary: 'Least severe messages that are logged.',
    example: 'debug',
    defaultText: 'info',
    audience: 'node',
  },
  url: {
    kind: 'url',
    summary: 'MCP URL of the node to ask.',
    example: 'http://127.0.0.1:7331/mcp',
    defaultText: 'http://127.0.0.1:<port>/mcp',
    audience: 'client',
  },
  json: {
    kind: 'switch',
    summary: 'Print one JSON object instead of text for people.',
    example: 'on',
    defaultText: 'off',
    audience: 'client',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

export const settingNames = Object.keys(settings) as SettingName[];

/** All settings with their values: what the program runs on. Paths are absolute. */
export interface Settings {
  data: string;
  /** The config file that was read, if any. */
  config: string | undefined;
  port: number;
  host: string;
  layout: Layout;
  /** Address of the P2P service that somebody else runs. */
  p2pService: string | undefined;
  p2pTokenFile: string | undefined;
  /** Addresses of the P2P service that this program runs. */
  rpcListen: string[];
  p2pListen: string[];
  /** Multiaddrs (they begin with `/ip4/`, `/ip6/`, `/dns…`) and absolute paths of announce files. */
  bootstrap: string[];
  announceFile: string;
  mdns: boolean;
  /** Undefined: when there is a mesh key. */
  dht: boolean | undefined;
  relay: boolean;
  relays: string[];
  p2pAnnounce: string[];
  /** Path of the key's file; undefined: there is none, and only loopback is listened on. */
  meshKey: string | undefined;
  /** Without a mesh key it means nothing: everybody who can connect is served. */
  admit: Admission;
  tools: string | undefined;
  pythonListen: string[];
  /** Multiaddrs and absolute paths of announce files. */
  pythonPeers: string[];
  pythonTokenFile: string | undefined;
  pythonGrant: Partial<Grant>;
  pythonLeaseS: number;
  pythonLegacy: boolean;
  allowedHosts: string[];
  allowedOrigins: string[];
  logLevel: LogLevel;
  url: string;
  json: boolean;
}

/** The setting as its general type. */
export function settingEntry(name: SettingName): Setting {
  return settings[name];
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** `p2p-listen` is `TASKMESH_P2P_LISTEN` in the environment. */
export function variableOf(name: SettingName): string {
  return `TASKMESH_${name.toUpperCase().replaceAll('-', '_')}`;
}
