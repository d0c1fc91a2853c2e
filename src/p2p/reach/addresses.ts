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
  CODE_P2P_CIRCUIT,
  CODE_TCP,
  CODE_TLS,
  CODE_WS,
  CODE_WSS,
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

/**
 * An address that this node can dial: host, tcp, maybe WebSockets (with TLS: a proxy's), then the peer id; or the same of a
 * relay, then `/p2p-circuit/p2p/<peer id>`. Throws `invalid_multiaddr`.
 */
export function parseDialAddress(text: string): { peerId: string; address: Multiaddr } {
  const address = parse(text);
  const last = address.getComponents().at(-1);
  if (last?.code !== CODE_P2P || last.value === undefined) {
    throw invalid(text, 'it does not end in /p2p/<peer id>');
  }
  if (!canDial(address)) {
    throw invalid(
      text,
      'only TCP and WebSockets can be dialled, directly or by way of a relay (…/p2p/<relay>/p2p-circuit/p2p/<peer id>)',
    );
  }
  return { peerId: parsePeerId(last.value).toString(), address };
}

/** The peer's address with its id at the end, or nothing when this node cannot dial it or it is another peer's. */
export function dialable(address: Multiaddr, peerId: string): Multiaddr[] {
  const last = address.getComponents().at(-1);
  const full = last?.code === CODE_P2P ? address : address.encapsulate(`/p2p/${peerId}`);
  return full.getComponents().at(-1)?.value === peerId && canDial(full) ? [full] : [];
}

/** An address that this node can listen on. Throws `invalid_multiaddr`. */
export function parseListenAddress(text: string): Multiaddr {
  const address = parse(text);
  const codes = address.getComponents().map(({ code }) => code);
  if (!isListener(codes)) throw invalid(text, 'only TCP and WebSockets can be listened on, e.g. /ip4/127.0.0.1/tcp/0');
  return address;
}

/** An address to be told to others besides those that are listened on: a forwarded port, a proxy. Throws `invalid_multiaddr`. */
export function parseAnnouncedAddress(text: string): Multiaddr {
  const address = parse(text);
  const codes = address.getComponents().map(({ code }) => code);
  if (!isTransport(codes)) throw invalid(text, 'only TCP and WebSockets can be announced, without a peer id');
  return address;
}

/** Whether only this machine or its own network can reach the address (RFC 1918, 3927, 4193, 4291, 6598). Names are public. */
export function isPrivate(address: Multiaddr): boolean {
  if (isLoopback(address)) return true;
  const [host] = address.getComponents();
  const value = host?.value ?? '';
  if (host?.code === CODE_IP4) return privateIp4.test(value);
  return host?.code === CODE_IP6 && /^f([cd]|e[89ab])/i.test(value);
}

const privateIp4 = /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;

/** Whether another peer carries what goes to this address. */
export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT);
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: Multiaddr): boolean {
  const [host] = address.getComponents();
  const value = host?.value ?? '';
  return value === '::1' || value === 'localhost' || (host?.code === CODE_IP4 && value.startsWith('127.'));
}

/** The address ends in a peer id, which is its caller's to look at. */
function canDial(address: Multiaddr): boolean {
  const codes = address.getComponents().map(({ code }) => code);
  const circuit = codes.indexOf(CODE_P2P_CIRCUIT);
  if (circuit < 0) return isTransport(codes.slice(0, -1));
  return circuit === codes.length - 2 && codes[circuit - 1] === CODE_P2P && isTransport(codes.slice(0, circuit - 1));
}

function isTransport([host, tcp, ...rest]: number[]): boolean {
  return host !== undefined && hostCodes.has(host) && tcp === CODE_TCP && webSocketForms.has(rest.join(' '));
}

/** TLS is a proxy's work: a node listens without. */
function isListener(codes: number[]): boolean {
  return isTransport(codes) && !codes.includes(CODE_TLS) && !codes.includes(CODE_WSS);
}

/** What may stand after the port: nothing, `/ws`, `/wss`, `/tls/ws`. */
const webSocketForms = new Set(['', `${CODE_WS}`, `${CODE_WSS}`, `${CODE_TLS} ${CODE_WS}`]);

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
