/**
 * The second libp2p host, for Python nodes: TCP, Noise, Yamux, and no private network, because they know none. It shares nothing
 * with the mesh's host but the identity, and serves no protocol of the mesh.
 */

import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Libp2p, PrivateKey, StreamMuxerFactory } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { version } from '../../mesh/build.ts';
import type { Limits } from '../../mesh/limits.ts';
import { endingMuxer } from '../ending-muxer.ts';
import { fairReads } from '../fair-reads.ts';
import { libp2pLogger } from '../libp2p-logger.ts';
import { withoutLockChannel } from '../lock-channel.ts';

export interface PythonHostOptions {
  readonly privateKey: PrivateKey;
  readonly listen: readonly Multiaddr[];
  readonly limits: Limits;
}

/** Streams that one connection may hold open. */
const maxStreamsPerConnection = 32;

/** Connecting to one address, a handshake, a negotiation, in milliseconds. */
const longestStepMs = 5_000;

/** Builds the host; it does not listen before it is started. */
export async function buildPythonHost({ privateKey, listen, limits }: PythonHostOptions): Promise<Libp2p> {
  const stepMs = Math.min(longestStepMs, limits.dialDeadlineMs);
  const host: Libp2p = await createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: 'taskmesh', version },
    addresses: { listen: listen.map(String) },
    transports: [tcp()],
    connectionEncrypters: [fairReads(noise())],
    streamMuxers: [
      endingMuxer(
        yamux({
          maxInboundStreams: maxStreamsPerConnection,
          maxOutboundStreams: maxStreamsPerConnection,
          streamOptions: {
            maxWriteBufferLength: 2 * limits.maxPythonReplyBytes,
            maxReadBufferLength: 2 * limits.maxPythonReplyBytes,
          },
          // Deno's checker sees two copies of one dependency's types here, which only differ in where they lie.
        }) as unknown as () => StreamMuxerFactory,
      ),
    ],
    services: { identify: identify(), ping: ping({ timeout: stepMs }) },
    logger: libp2pLogger(),
    connectionGater: {
      denyInboundConnection: ({ remoteAddr }) => tooManyFrom(host, remoteAddr, limits.maxPythonConnections),
    },
    connectionManager: {
      maxConnections: limits.maxPythonConnections,
      connectionCloseTimeout: 500,
      dialTimeout: limits.dialDeadlineMs,
      addressDialTimeout: stepMs,
      inboundUpgradeTimeout: stepMs,
      inboundStreamProtocolNegotiationTimeout: stepMs,
      outboundStreamProtocolNegotiationTimeout: stepMs,
      // Python's clients make a connection for each call.
      inboundConnectionThreshold: limits.maxPythonConnections,
      maxIncomingPendingConnections: 32,
      reconnectRetries: 0,
    },
  });
  await withoutLockChannel(() => host.peerStore.has(host.peerId));
  return host;
}

/** One address gets no more than half of the connections: whoever comes from elsewhere still gets in. */
function tooManyFrom(host: Libp2p, from: Multiaddr, maxConnections: number): boolean {
  const name = hostOf(from);
  const held = host.getConnections().filter(({ remoteAddr }) => hostOf(remoteAddr) === name);
  return held.length >= maxConnections / 2;
}

/** The address that a connection comes from, without its port. */
export function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? '';
}
