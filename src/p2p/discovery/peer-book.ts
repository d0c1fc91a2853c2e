/**
 * What the node knows of other nodes beyond what libp2p keeps: how it heard of them, and which of them speak the carriage.
 */

import type { discoveryMethods } from '../../mesh/operations/peers.ts';
import { carriageProtocol } from '../carriage.ts';
import { dhtProtocol } from './mesh-dht.ts';

export type DiscoveryMethod = (typeof discoveryMethods)[number];

/** Protocols that the book keeps; a peer may name thousands. */
const ours: ReadonlySet<string> = new Set([carriageProtocol, dhtProtocol]);

/** Peers that are remembered; of those that are not connected, the longest known is forgotten first. */
const maxPeers = 1_000;

interface Entry {
  connected: boolean;
  readonly foundBy: Set<DiscoveryMethod>;
  protocols: ReadonlySet<string>;
  latencyMs: number | null;
}

export class PeerBook {
  readonly #entries = new Map<string, Entry>();

  found(peerId: string, method: DiscoveryMethod): void {
    this.#entry(peerId).foundBy.add(method);
  }

  connected(peerId: string, connected: boolean): void {
    this.#entry(peerId).connected = connected;
  }

  /** The peer has said which of the protocols that matter here it speaks. */
  identified(peerId: string, protocols: readonly string[]): void {
    this.#entry(peerId).protocols = new Set(protocols.filter((protocol) => ours.has(protocol)));
  }

  measured(peerId: string, latencyMs: number): void {
    this.#entry(peerId).latencyMs = latencyMs;
  }

  foundBy(peerId: string): DiscoveryMethod[] {
    return [...(this.#entries.get(peerId)?.foundBy ?? [])];
  }

  speaksCarriage(peerId: string): boolean {
    return this.#entries.get(peerId)?.protocols.has(carriageProtocol) ?? false;
  }

  /** Peers that have said that they speak a protocol. */
  speaking(protocol: string): string[] {
    return [...this.#entries].filter(([, { protocols }]) => protocols.has(protocol)).map(([peerId]) => peerId);
  }

  latencyMs(peerId: string): number | null {
    return this.#entries.get(peerId)?.latencyMs ?? null;
  }

  #entry(peerId: string): Entry {
    let entry = this.#entries.get(peerId);
    if (entry === undefined) {
      entry = { connected: false, foundBy: new Set(), protocols: new Set(), latencyMs: null };
      if (this.#entries.size >= maxPeers) this.#forgetOne();
      this.#entries.set(peerId, entry);
    }
    return entry;
  }

  #forgetOne(): void {
    for (const [peerId, { connected }] of this.#entries) {
      if (connected) continue;
      this.#entries.delete(peerId);
      return;
    }
  }
}
