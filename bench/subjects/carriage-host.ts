/**
 * A libp2p host as the product builds it, with the product's one long-lived stream per pair of peers and nothing behind it: what the
 * wire costs by itself. With `encryption: 'none'` a handshake that only tells the peer ids stands in Noise's place.
 */

import { generateKeyPair } from '@libp2p/crypto/keys';
import type { ConnectionEncrypter, MessageStream, PeerId, SecuredConnection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { systemClock } from '../../src/mesh/clock.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import { carriageProtocol } from '../../src/p2p/carriage.ts';
import { buildHost, type Host, startHost } from '../../src/p2p/libp2p-host.ts';
import { parseDialAddress, parseListenAddress, parsePeerId } from '../../src/p2p/reach/addresses.ts';
import { openCarriage } from '../../src/p2p/reach/dialer.ts';
import { PeerLinks } from '../../src/p2p/reach/peer-links.ts';
import type { Handler } from '../../src/rpc/endpoint.ts';
import type { RpcParams } from '../../src/rpc/message.ts';

export type Encryption = 'noise' | 'none';

export interface CarriageHost {
  readonly host: Host;
  /** A TCP address with the peer id; undefined when it does not listen. */
  readonly address: string | undefined;
  /** Asks a peer by its address, over the one stream. */
  request(address: string, method: string, params: RpcParams): Promise<unknown>;
  close(): Promise<void>;
}

export interface CarriageHostOptions {
  encryption: Encryption;
  listen: boolean;
  handle?: Handler;
}

const requestDeadlineMs = 30_000;

export async function openCarriageHost({ encryption, listen, handle }: CarriageHostOptions): Promise<CarriageHost> {
  const addresses = listen ? [parseListenAddress('/ip4/127.0.0.1/tcp/0')] : [];
  const host = await buildHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: addresses,
    meshKey: undefined,
    mdns: false,
    limits: defaultLimits,
    onFoundByMdns: () => {},
    ...(encryption === 'none' && { encrypter: plain }),
  });
  const links = new PeerLinks({
    localPeerId: host.peerId.toString(),
    clock: systemClock,
    limits: defaultLimits,
    openStream: (id, known, signal): Promise<Stream> => openCarriage(host, id, known, signal),
    handlerFor: () => handle ?? (() => Promise.reject(new Error('This end only asks.'))),
  });
  await host.handle(carriageProtocol, (stream, { remotePeer }) => links.accept(remotePeer.toString(), stream));
  await startHost(host, addresses);
  const dialed = new Map<string, { peerId: string; addresses: Multiaddr[] }>();
  return {
    host,
    address: host.getMultiaddrs()[0]?.toString(),
    request(address, method, params) {
      let peer = dialed.get(address);
      if (peer === undefined) {
        const parsed = parseDialAddress(address);
        peer = { peerId: parsed.peerId, addresses: [parsed.address] };
        dialed.set(address, peer);
      }
      return links.request(peer.peerId, peer.addresses, method, params, { deadlineMs: requestDeadlineMs });
    },
    async close() {
      links.close();
      await host.stop();
    },
  };
}

/** Tells the other side who this one is, unproven, and carries bytes as they are. For benchmarks on loopback only. */
function plain({ peerId }: { peerId: PeerId }): ConnectionEncrypter {
  const secure = async (connection: MessageStream): Promise<SecuredConnection> => {
    const own = new TextEncoder().encode(peerId.toString());
    connection.send(Uint8Array.of(own.byteLength, ...own));
    return { connection, remotePeer: parsePeerId(await readText(connection)) };
  };
  return { protocol: '/taskmesh-bench/no-encryption/1.0.0', secureInbound: secure, secureOutbound: secure };
}

/** Reads a text that begins with its length, and leaves what follows in the stream. */
function readText(connection: MessageStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = new Uint8Array();
    const onClose = (): void => reject(new Error('The connection ended in the handshake.'));
    const onMessage = ({ data }: { data: { subarray(): Uint8Array } }): void => {
      bytes = new Uint8Array(Buffer.concat([bytes, data.subarray()]));
      const length = bytes[0];
      if (length === undefined || bytes.byteLength <= length) return;
      connection.removeEventListener('message', onMessage);
      connection.removeEventListener('close', onClose);
      connection.unshift(bytes.subarray(1 + length));
      resolve(new TextDecoder().decode(bytes.subarray(1, 1 + length)));
    };
    connection.addEventListener('close', onClose);
    connection.addEventListener('message', onMessage);
  });
}
