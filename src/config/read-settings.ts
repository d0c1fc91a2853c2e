/**
 * Reads the settings: flag before environment before config file before default, each checked where it comes from.
 *
 * Called once by the command line and by the entrypoints. Reads nothing by itself: argv's flags, environment, files and
 * the runtime's own defaults are arguments.
 */

import { dirname, join } from 'node:path';
import { MeshError } from '../mesh/errors.ts';
import type { Layout } from '../mesh/node-options.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { refuseOpenDoor } from './open-door.ts';
import { allowedOf, isList, type ReadContext, readText } from './setting.ts';
import { type SettingName, type Settings, settingEntry, variableOf } from './settings.ts';

export interface SettingsSources {
  /** Flags by their kebab-case names; those that are no settings are left alone. A switch may be true or false. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file's text; undefined when there is no such file. */
  readFile(path: string): string | undefined;
  /** The working folder: relative paths of flags and variables start here. */
  readonly folder: string;
  /** The user's home folder. */
  readonly home: string;
  /** The runtime's own defaults. */
  readonly defaults: { readonly layout: Layout };
  /** `node`: the program will listen, so that open doors are refused. `client`: it only asks a node. */
  readonly purpose: 'node' | 'client';
}

/** Where a text came from, as people know it. */
interface Found {
  readonly raw: unknown;
  readonly source: string;
  readonly context: ReadContext;
}

/** Throws `invalid_config`, naming the setting, its value, where it came from and what is allowed. */
export function readSettings(sources: SettingsSources): Settings {
  const { env, flags, home, readFile } = sources;
  const here: ReadContext = { folder: sources.folder, home };

  const given = (name: SettingName): Found | undefined => {
    const flag = flags[name];
    if (flag !== undefined) return { raw: flag, source: `--${name}`, context: here };
    const variable = env[variableOf(name)];
    // An empty variable is the usual way to unset one.
    return variable ? { raw: variable, source: variableOf(name), context: here } : undefined;
  };

  const early = (name: 'data' | 'config'): string | undefined => valueAt(name, given(name)) as string | undefined;
  const dataBeforeFile = early('data') ?? join(home, '.taskmesh');
  const explicit = early('config');
  const file = readConfigFile(explicit ?? join(dataBeforeFile, 'config.json'), explicit !== undefined, readFile);

  // The kinds in the table and the types in `Settings` belong together; this is where they meet.
  const value = <Name extends SettingName>(name: Name): Value<Name> | undefined =>
    valueAt(name, given(name) ?? fromFile(name, file, home)) as Value<Name> | undefined;

  const data = value('data') ?? dataBeforeFile;
  const host = value('host') ?? '127.0.0.1';
  const port = value('port') ?? 7330;
  const keyFile = value('mesh-key');
  if (sources.purpose === 'node' && keyFile !== undefined && readFile(keyFile) === undefined) {
    throw new MeshError(
      'invalid_config',
      `There is no mesh key at ${keyFile}. Run "taskmesh init" to make one, or copy the one of your other machines there.`,
      { details: { setting: 'mesh-key', value: keyFile } },
    );
  }
  const ownKeyFile = join(data, 'mesh.key');
  const ownTokenFile = join(data, 'python.token');
  const p2pService = value('p2p-service');
  const read: Settings = {
    data,
    config: file?.path,
    port,
    host,
    layout: layoutFor(p2pService, value('layout'), sources.defaults.layout),
    p2pService,
    p2pTokenFile: value('p2p-token-file') ?? (p2pService?.startsWith('http:') ? join(data, 'p2p.token') : undefined),
    rpcListen: value('rpc-listen') ?? [`unix:${join(data, 'p2p.sock')}`],
    p2pListen: value('p2p-listen') ?? ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
    bootstrap: value('bootstrap') ?? [],
    announceFile: value('announce-file') ?? join(data, 'announce.json'),
    mdns: value('mdns') ?? true,
    dht: value('dht'),
    relay: value('relay') ?? false,
    relays: value('relays') ?? [],
    p2pAnnounce: value('p2p-announce') ?? [],
    meshKey: keyFile ?? (readFile(ownKeyFile) === undefined ? undefined : ownKeyFile),
    admit: value('admit') ?? 'listed',
    tools: value('tools'),
    pythonListen: value('python-listen') ?? [],
    pythonPeers: value('python-peers') ?? [],
    pythonTokenFile: value('python-token-file') ?? (readFile(ownTokenFile) === undefined ? undefined : ownTokenFile),
    pythonGrant: value('python-grant') ?? {},
    pythonLeaseS: value('python-lease-s') ?? 300,
    pythonLegacy: value('python-legacy') ?? false,
    allowedHosts: value('allowed-hosts') ?? [],
    allowedOrigins: value('allowed-origins') ?? [],
    logLevel: value('log-level') ?? 'info',
    url: value('url') ?? `http://${reachableHost(host)}:${port}/mcp`,
    json: value('json') ?? false,
  };
  if (sources.purpose === 'node') refuseOpenDoor(read);
  return read;
}

/** A service of somebody else's is another process; every other layout would leave it unused. */
function layoutFor(p2pService: string | undefined, asked: Layout | undefined, otherwise: Layout): Layout {
  if (p2pService === undefined) return asked ?? otherwise;
  if (asked === undefined || asked === 'process') return 'process';
  throw new MeshError(
    'invalid_config',
    `With the layout ${asked} the server has a node of its own, and the P2P service ${p2pService} would be left unused. ` +
      'Leave out --layout, or --p2p-service.',
    { details: { setting: 'layout', value: asked } },
  );
}

type Camel<Name extends string> = Name extends `${infer Head}-${infer Rest}`
  ? `${Head}${Capitalize<Camel<Rest>>}`
  : Name;
type Value<Name extends SettingName> = NonNullable<Settings[Camel<Name> & keyof Settings]>;

function fromFile(name: SettingName, file: ConfigFile | undefined, home: string): Found | undefined {
  if (file === undefined || file.values[name] === undefined) return undefined;
  return { raw: file.values[name], source: file.path, context: { folder: dirname(file.path), home } };
}

/** The checked value of a setting, a list for those that are lists; undefined when it is not given. */
function valueAt(name: SettingName, found: Found | undefined): unknown {
  if (found === undefined) return undefined;
  const setting = settingEntry(name);
  const one = (raw: unknown): unknown => {
    const text = typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw;
    const read = typeof text === 'string' ? readText(setting, text.trim(), found.context) : undefined;
    if (read === undefined) throw invalid(name, raw, found.source);
    return read;
  };
  const raws: unknown[] = Array.isArray(found.raw) ? found.raw : [found.raw];
  if (!isList(setting)) return one(raws.length === 1 ? raws[0] : found.raw);
  return raws.flatMap((raw) => (typeof raw === 'string' ? splitList(raw) : [raw])).map(one);
}

function splitList(text: string): string[] {
  return text.split(',').filter((item) => item.trim() !== '');
}

function invalid(name: SettingName, raw: unknown, source: string): MeshError {
  const setting = settingEntry(name);
  const allowed = allowedOf(setting);
  return new MeshError(
    'invalid_config',
    `The setting "${name}" cannot be ${JSON.stringify(raw)} (from ${source}). Allowed: ${allowed}; for example --${name} ${setting.example}`,
    { details: { setting: name, value: raw, source, allowed } },
  );
}

/** A server that listens on every address is asked at loopback. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
