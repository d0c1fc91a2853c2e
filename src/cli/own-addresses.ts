/** Where others can reach this machine's node: for the ticket that `taskmesh invite` makes. */

import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { z } from 'zod';
import type { Settings } from '../config/settings.ts';

const announced = z.object({ peer_id: z.string().max(200), multiaddrs: z.array(z.string().max(1000)).max(100) });

export interface OwnAddresses {
  /** Known when the node runs. */
  readonly peerId: string | undefined;
  /** Multiaddrs without the node's peer id, the best first. */
  readonly addresses: readonly string[];
}

/** As the running node announces them; for one that does not run, as the settings say. */
export async function ownAddresses({ announceFile, p2pListen }: Settings): Promise<OwnAddresses> {
  const running = await readAnnounced(announceFile);
  if (running !== undefined) {
    const own = `/p2p/${running.peer_id}`;
    const addresses = running.multiaddrs.map((text) => (text.endsWith(own) ? text.slice(0, -own.length) : text));
    return { peerId: running.peer_id, addresses: inOrder(addresses) };
  }
  // Any free port is known only once it is taken.
  const fixed = p2pListen.filter((text) => !/\/tcp\/0(\/|$)/.test(text));
  return { peerId: undefined, addresses: inOrder(fixed.flatMap(onEveryInterface)) };
}

/** Whether only programs on this machine can reach it. */
export function isLocal(address: string): boolean {
  return /^\/(ip4\/127\.|ip6\/::1(\/|$)|dns[46]?\/localhost(\/|$))/.test(address);
}

async function readAnnounced(file: string): Promise<z.infer<typeof announced> | undefined> {
  try {
    return announced.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** `0.0.0.0` and `::` stand for all addresses of the machine. */
function onEveryInterface(address: string): string[] {
  const [, protocol, host, ...rest] = address.split('/');
  if (!['0.0.0.0', '::'].includes(host ?? '')) return [address];
  const family = protocol === 'ip6' ? 'IPv6' : 'IPv4';
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter((one) => one.family === family && !one.address.startsWith('fe80:'))
    .map((one) => ['', protocol, one.address, ...rest].join('/'));
}

/** The network before loopback, direct before relayed, TCP before WebSockets. */
function inOrder(addresses: readonly string[]): string[] {
  const rank = (text: string): number =>
    (isLocal(text) ? 4 : 0) + (text.includes('/p2p-circuit') ? 2 : 0) + (/\/wss?\b/.test(text) ? 1 : 0);
  return [...new Set(addresses)].sort((a, b) => rank(a) - rank(b));
}
