/** Refuses to listen beyond this machine without a mesh key. Called by `readSettings` for programs that listen. */

import { MeshError } from '../mesh/errors.ts';
import type { Settings } from './settings.ts';

/** Throws `invalid_config` when strangers could connect. */
export function refuseOpenDoor(settings: Pick<Settings, 'host' | 'p2pListen' | 'meshKey' | 'data'>): void {
  if (settings.meshKey !== undefined) return;
  const open = [
    ...(isLoopbackHost(settings.host) ? [] : [`--host ${settings.host}`]),
    ...settings.p2pListen.filter((address) => !isLoopbackAddress(address)).map((address) => `--p2p-listen ${address}`),
  ];
  if (open.length === 0) return;
  throw new MeshError(
    'invalid_config',
    `${open.join(' and ')} would let other machines connect, and there is no mesh key to keep strangers out. ` +
      `Run "taskmesh init --data ${settings.data}", copy the key it makes to your other machines, then start again.`,
    { details: { open } },
  );
}

/** Whether only programs on this machine can reach the host. */
function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function isLoopbackAddress(address: string): boolean {
  const [, protocol, value = ''] = address.split('/');
  return protocol !== undefined && ['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(protocol) && isLoopbackHost(value);
}
