/** Peer ids and multiaddrs as texts from outside: checked here, once, before libp2p sees them. */

import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_P2P,
  CODE_TCP,
  CODE_WS,
  type Multiaddr,
  multiaddr,
} from '@multiformats/multiaddr';
import { MeshError } from '../../mesh/errors.ts';

const hostCodes = new Set([CODE_IP4, CODE_IP6, CODE_DNS, CODE_DNS4, CODE_DNS6]);

/** Throws `invalid_peer_id`. */
export function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text);
  } catch (cause) {
    throw new MeshError('invalid_peer_id', `"${text.slice(0, 100)}" is not a peer id. It looks like 12D3KooW….`, {
      cause,
    });
  }
}

/** What every Ed25519 peer id looks like as text. */
const usualPeerId = /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/;

/**
 * The one way to write a peer id, for comparing; other ways (CIDs) are turned into it. Throws `invalid_peer_id`. Usual ids are
 * not decoded, for every call passes here; the dialler decodes them.
 */
export function canonicalPeerId(text: string): string {
  return usualPeerId.test(text) ? text : parsePeerId(text).toString();
}

/** An address that this node can dial: host, tcp, maybe ws, then the peer id. Throws `invalid_multiaddr`. */
export function parseDialAddress(text: string): { peerId: string; address: Multiaddr } {
  const address = parse(text);
  const codes = address.getComponents().map(({ code }) => code);
  const last = address.getComponents().at(-1);
  if (last?.code !== CODE_P2P || last.value === undefined) {
    throw invalid(text, 'it does not end in /p2p/<peer id>');
  }
  if (!isTransport(codes.slice(0, -1))) throw invalid(text, 'only TCP and WebSockets can be dialled');
  return { peerId: parsePeerId(last.value).toString(), address };
}

/** An address that this node can listen on. Throws `invalid_multiaddr`. */
export function parseListenAddress(text: string): Multiaddr {
  const address = parse(text);
  const codes = address.getComponents().map(({ code }) => code);
  if (!isTransport(codes)) throw invalid(text, 'only TCP and WebSockets can be listened on, e.g. /ip4/127.0.0.1/tcp/0');
  return address;
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: Multiaddr): boolean {
  const [host] = address.getComponents();
  const value = host?.value ?? '';
  return value === '::1' || value === 'localhost' || (host?.code === CODE_IP4 && value.startsWith('127.'));
}

function isTransport([host, tcp, ...rest]: number[]): boolean {
  return (
    host !== undefined &&
    hostCodes.has(host) &&
    tcp === CODE_TCP &&
    (rest.length === 0 || (rest.length === 1 && rest[0] === CODE_WS))
  );
}

function parse(text: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (cause) {
    throw invalid(text, (cause as Error).message, cause);
  }
}

function invalid(text: string, why: string, cause?: unknown): MeshError {
  return new MeshError('invalid_multiaddr', `"${text.slice(0, 200)}" cannot be used as a multiaddr here: ${why}.`, {
    cause,
    details: { multiaddr: text.slice(0, 200) },
  });
}
