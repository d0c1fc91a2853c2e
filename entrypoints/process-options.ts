/** From settings to the layout `process`: which service to connect to, or how this runtime starts one. */

import { dirname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ProcessOptions } from '../src/bridge/open-mesh.ts';
import type { Settings } from '../src/config/settings.ts';
import { runtime } from '../src/mesh/build.ts';
import { makeFolder } from '../src/mesh/own-files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = fileURLToPath(new URL('p2p.ts', import.meta.url));

/** Throws `invalid_config` when a folder that the child needs cannot be made. */
export function processOptions(settings: Settings): ProcessOptions {
  const startsChild = settings.layout === 'process' && settings.p2pService === undefined;
  // A child on Deno may write into its folders, and so cannot make those above them.
  if (startsChild && runtime.name === 'deno') for (const folder of foldersOf(settings)) makeFolder(folder);
  return {
    service: settings.p2pService,
    tokenFile: settings.p2pTokenFile,
    child: {
      command: [process.execPath, ...permissionsOf[runtime.name](settings), main, '--supervised'],
      rpc: settings.rpcListen,
    },
  };
}

/** On Deno a service gets what it needs and no more: the same as the task `start:p2p`, for this data folder. */
const permissionsOf: Readonly<Record<typeof runtime.name, (settings: Settings) => string[]>> = {
  node: () => [],
  deno(settings) {
    const written = foldersOf(settings);
    const announced = [...settings.bootstrap, ...settings.pythonPeers].filter(
      (place) => !/^\/(ip4|ip6|dns\w*|p2p)\//.test(place),
    );
    const secrets = [settings.meshKey, settings.pythonTokenFile];
    const read = [root, ...written, ...announced, ...secrets, settings.tools && dirname(settings.tools)];
    return [
      'run',
      '--no-prompt',
      '--allow-net',
      '--allow-env=TASKMESH_*,HOME,NO_COLOR',
      '--ignore-env',
      '--allow-sys=hostname,homedir,networkInterfaces',
      `--allow-read=${listed(read)}`,
      `--allow-write=${listed(written)}`,
    ];
  },
};

/** Where the service writes. */
function foldersOf({ rpcListen, data, announceFile }: Settings): string[] {
  const sockets = rpcListen.filter((text) => text.startsWith('unix:')).map((text) => dirname(text.slice(5)));
  return [...new Set([data, dirname(announceFile), ...sockets])];
}

/** Deno separates paths by commas; a comma within one is written twice. */
function listed(paths: readonly (string | undefined)[]): string {
  const known = new Set(paths.filter((path) => path !== undefined && path !== ''));
  return [...known].map((path) => path?.replaceAll(',', ',,')).join(',');
}
