/**
 * Builds the libp2p host: TCP, WebSockets and relayed connections, Noise only, Yamux, identify, ping, mDNS, DCUtR, AutoNAT, the
 * mesh's DHT, and the private network when there is a mesh key. Used by the node's start only.
 */

import { noise } from '@chainsafe/libp2p-noise';
import { type CircuitRelayService, circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { type Identify, identify } from '@libp2p/identify';
import type {
  ConnectionEncrypter,
  ConnectionGater,
  Libp2p,
  PeerId,
  PeerInfo,
  PrivateKey,
  StreamMuxerFactory,
} from '@libp2p/interface';
import type { KadDHT } from '@libp2p/kad-dht';
import { mdns } from '@libp2p/mdns';
import { type Ping, ping } from '@libp2p/ping';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { version } from '../mesh/build.ts';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import { dhtService } from './discovery/mesh-dht.ts';
import { endingMuxer } from './ending-muxer.ts';
import { fairReads } from './fair-reads.ts';
import { libp2pLogger } from './libp2p-logger.ts';
import { withoutLockChannel } from './lock-channel.ts';
import { meshName } from './mesh-key.ts';
import { isLoopback } from './reach/addresses.ts';
import { gentleAutonat } from './reach/gentle-autonat.ts';
import { gentleDcutr } from './reach/gentle-dcutr.ts';
import { type HostParts, hostParts } from './reach/host-parts.ts';
import { quickWebSockets } from './reach/quick-web-sockets.ts';

export type Host = Libp2p<{
  identify: Identify;
  ping: Ping;
  parts: HostParts;
  /** There when the node takes part in the DHT. */
  dht: KadDHT | undefined;
  /** There when the node serves as a relay. */
  relay: CircuitRelayService | undefined;
}>;

export interface HostOptions {
  privateKey: PrivateKey;
  listen: readonly Multiaddr[];
  meshKey: Uint8Array | undefined;
  mdns: boolean;
  limits: Limits;
  /** Addresses to be told to others besides those that are listened on. */
  announce?: readonly Multiaddr[];
  /** Whether to take part in the mesh's DHT. Default: false. */
  dht?: boolean;
  /** Whether to carry connections between others. Default: false. */
  relay?: boolean;
  /** Says whose connections are taken. Default: everybody's. */
  gater?: ConnectionGater;
  /** A node of the same mesh answered on the local network. */
  onFoundByMdns(peer: PeerInfo): void;
  /** In place of Noise; only benchmarks have one, to find out what Noise costs. */
  encrypter?: (components: { peerId: PeerId }) => ConnectionEncrypter;
}

/** Streams of all protocols that one connection may hold open: the carriage's, and identify's and ping's short ones. */
const maxStreamsPerConnection = 64;

/** What Yamux gives each stream to begin with; it doubles where the round trips are long. */
const leastWindowBytes = 256 * 1024;

/**
 * Connecting to one address, a handshake, a negotiation, in milliseconds. On Deno, libp2p's time limits keep a process alive
 * until they are over, even when what they limit has long ended; so this is also how long one lingers after `stop`.
 */
const longestStepMs = 5_000;

/** Builds the host; it does not listen before `startHost`. */
export async function buildHost(options: HostOptions): Promise<Host> {
  const { limits, meshKey } = options;
  const stepMs = Math.min(longestStepMs, limits.dialDeadlineMs);
  const host = await createLibp2p({
    start: false,
    privateKey: options.privateKey,
    nodeInfo: { name: 'taskmesh', version },
    addresses: { listen: options.listen.map(String), appendAnnounce: (options.announce ?? []).map(String) },
    transports: [tcp(), quickWebSockets(), circuitRelayTransport()],
    connectionEncrypters: [options.encrypter ?? fairReads(noise())],
    streamMuxers: [
      endingMuxer(
        yamux({
          maxInboundStreams: maxStreamsPerConnection,
          maxOutboundStreams: maxStreamsPerConnection,
          streamOptions: {
            maxWriteBufferLength: limits.maxBufferedBytes,
            // A window is what a peer may send before this node has looked at any of it, and what piles up while reading pauses:
            // less than libp2p's read buffers hold (4 MiB), because a WebSocket goes on reading.
            maxStreamWindowSize: Math.max(leastWindowBytes, limits.maxFrameBytes / 2),
            maxReadBufferLength: 2 * limits.maxFrameBytes,
          },
          // Deno's checker sees two copies of one dependency's types here, which only differ in where they lie.
        }) as unknown as () => StreamMuxerFactory,
      ),
    ],
    ...(options.gater ? { connectionGater: options.gater } : {}),
    ...(meshKey ? { connectionProtector: preSharedKey({ psk: meshKey }) } : {}),
    peerDiscovery: options.mdns ? [mdnsFor(meshKey, options.onFoundByMdns)] : [],
    services: servicesOf(options, stepMs),
    logger: libp2pLogger(),
    connectionManager: {
      maxConnections: limits.maxConnections,
      connectionCloseTimeout: 500,
      dialTimeout: limits.dialDeadlineMs,
      addressDialTimeout: stepMs,
      inboundUpgradeTimeout: stepMs,
      inboundStreamProtocolNegotiationTimeout: stepMs,
      outboundStreamProtocolNegotiationTimeout: stepMs,
      // The default of 5 new connections a second per host refuses several nodes on one machine that start together.
      inboundConnectionThreshold: limits.maxConnections,
      maxIncomingPendingConnections: limits.maxPendingConnections,
      // Redials are the keeper's work (`reconnect.ts`); libp2p's own would double them.
      reconnectRetries: 0,
    },
  });
  await withoutLockChannel(() => host.peerStore.has(host.peerId));
  // The optional services are there or undefined; libp2p's type knows neither.
  return host as unknown as Host;
}

/** What runs on top of the connections. */
function servicesOf({ listen, announce = [], dht, relay, limits }: HostOptions, stepMs: number) {
  const beyondLoopback = announce.length > 0 || listen.some((address) => !isLoopback(address));
  return {
    identify: identify(),
    ping: ping({ timeout: stepMs, maxInboundStreams: maxPings, maxOutboundStreams: maxPings }),
    parts: hostParts,
    dcutr: gentleDcutr(),
    // What only this machine can reach needs nobody to try it.
    ...(beyondLoopback ? { autonat: gentleAutonat(stepMs) } : {}),
    ...(dht ? { dht: dhtService() } : {}),
    // The mesh's own peers: they are carried without the limits of time and bytes that strangers get. A place lasts an hour
    // and is renewed by whoever has it.
    ...(relay
      ? {
          relay: circuitRelayServer({
            hopTimeout: stepMs,
            reservations: { maxReservations: limits.maxRelayReservations, applyDefaultLimit: false, reservationTtl },
          }),
        }
      : {}),
  };
}

/**
 * Pings of one connection at once: the DHT pings a new peer before it takes it in, while the node measures the way to it. With
 * libp2p's one, the DHT left such peers out.
 */
const maxPings = 4;

/** How long a place at this relay lasts, in milliseconds. */
const reservationTtl = 3_600_000;

/**
 * mDNS under a name made from the mesh key, so that nodes of different meshes do not hear of each other.
 *
 * The library sends and listens on all interfaces and offers no way to choose one. A node that listens on loopback only
 * announces loopback addresses only, so other machines learn that it runs and its peer id, and cannot reach it.
 */
function mdnsFor(meshKey: Uint8Array | undefined, onFound: (peer: PeerInfo) => void) {
  const create = mdns({ serviceTag: `_tm-${meshName(meshKey)}._udp.local` });
  return (components: Parameters<typeof create>[0]) => {
    const discovery = create(components);
    discovery.addEventListener('peer', (event) => onFound(event.detail));
    return discovery;
  };
}

/** Listens. Throws `address_in_use` or `invalid_multiaddr`; nothing is left open then. */
export async function startHost(host: Host, listen: readonly Multiaddr[]): Promise<void> {
  try {
    await host.start();
  } catch (cause) {
    const text = String((cause as Error).message);
    const reason = /\bE[A-Z]{4,}\b[^\n]*/.exec(text)?.[0] ?? text.split('\n')[0];
    const addresses = listen.join(', ');
    if (/EADDRINUSE|AddrInUse|address already in use/i.test(text)) {
      throw new MeshError(
        'address_in_use',
        `Another program listens on one of ${addresses}. Stop it, or choose another port with --p2p-listen; port 0 takes a free one.`,
        { cause, details: { listen: listen.map(String) } },
      );
    }
    throw new MeshError(
      'invalid_multiaddr',
      `This machine cannot listen on one of ${addresses}: ${reason}. Check --p2p-listen.`,
      { cause, details: { listen: listen.map(String) } },
    );
  }
}

/** Throws `invalid_config` when strangers could connect. */
export function refuseStrangers(listen: readonly Multiaddr[], meshKey: Uint8Array | undefined): void {
  const open = listen.filter((address) => !isLoopback(address));
  if (meshKey !== undefined || open.length === 0) return;
  throw new MeshError(
    'invalid_config',
    `Listening on ${open.join(', ')} would let other machines connect, and there is no mesh key to keep strangers out. Run "taskmesh init" and share the key.`,
    { details: { listen: open.map(String) } },
  );
}
