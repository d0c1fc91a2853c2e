/**
 * The mesh in a DHT: each node is a provider of one key, which is made from the mesh's name, so that a node which knows one
 * other node finds the rest. The DHT speaks a protocol id of its own and consists of the mesh's nodes alone.
 *
 * What it answers is signed by nobody: it says where to knock, and who answers there has to prove the peer id. Used by the
 * finder and by `discover`. Source: https://github.com/libp2p/specs/tree/master/kad-dht
 */

import type { PeerInfo } from '@libp2p/interface';
import { type KadDHT, kadDHT } from '@libp2p/kad-dht';
import { CID } from 'multiformats/cid';
import { sha256 } from 'multiformats/hashes/sha2';
import type { Peer } from '../peer-client.ts';
import { dialable } from '../reach/addresses.ts';

/** libp2p protocol id of the mesh's DHT. */
export const dhtProtocol = '/taskmesh/kad/1.0.0';

/** Multicodec of bytes without a meaning of their own. */
const rawCodec = 0x55;

/** Providers of the key that one look-up takes in. */
const maxProviders = 64;

/** Addresses that are taken of each. */
const maxAddresses = 16;

/** Streams of the DHT that one connection may hold open. */
const maxStreams = 16;

/**
 * How long a peer may take over its next message or to be taken in, in milliseconds. On Deno, libp2p's time limits keep a process
 * alive until they are over, even when what they limit has long ended; so this is also how long the DHT lingers after `stop`.
 */
const stepMs = 2_000;

/** The libp2p service. Every node serves the DHT: the meshes that this is for have no nodes to spare. */
export function dhtService() {
  const create = kadDHT({
    protocol: dhtProtocol,
    clientMode: false,
    // The mesh may live on private addresses: they count.
    peerInfoMapper: (peer: PeerInfo) => peer,
    allowQueryWithZeroPeers: true,
    // A mesh of dozens of nodes; more at once would only compete with the mesh's own work.
    alpha: 3,
    maxInboundStreams: maxStreams,
    maxOutboundStreams: maxStreams,
    onPeerConnectTimeout: stepMs,
  });
  return (components: Parameters<typeof create>[0]): KadDHT => {
    const dht: KadDHT & { rpc?: { incomingMessageTimeout: number } } = create(components);
    // The library has this as an option too, and does not hand it on.
    if (dht.rpc !== undefined) dht.rpc.incomingMessageTimeout = stepMs;
    return dht;
  };
}

/** The provider key of a mesh: the hash of its name, which tells nothing about the mesh key. */
export async function meshCid(meshName: string): Promise<CID> {
  return CID.createV1(rawCodec, await sha256.digest(new TextEncoder().encode(`taskmesh:${meshName}`)));
}

export class MeshDht {
  readonly #dht: KadDHT;
  readonly #key: CID;

  constructor(dht: KadDHT, key: CID) {
    this.#dht = dht;
    this.#key = key;
  }

  /** Tells the DHT's nearest nodes that this one is of the mesh; answers how many have heard it. Rejects when the signal fires. */
  async provide(signal: AbortSignal): Promise<number> {
    let told = 0;
    for await (const event of this.#dht.provide(this.#key, { signal }))
      if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') told++;
    return told;
  }

  /** Nodes of the mesh that the DHT knows, as they are found. Ends with what was found when the signal fires. */
  async *find(signal: AbortSignal): AsyncGenerator<Peer, void, undefined> {
    const found = new Set<string>();
    try {
      for await (const event of this.#dht.findProviders(this.#key, { signal })) {
        if (event.name !== 'PROVIDER') continue;
        for (const { id, multiaddrs } of event.providers) {
          const peerId = id.toString();
          if (found.has(peerId) || found.size >= maxProviders) continue;
          found.add(peerId);
          const addresses = multiaddrs.slice(0, maxAddresses).flatMap((address) => dialable(address, peerId));
          yield { peerId, addresses };
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
