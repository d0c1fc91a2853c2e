/**
 * What the node knows of other nodes beyond what libp2p keeps: how it heard of them, and which of them speak the carriage.
 */

import type { discoveryMethods } from '../../mesh/operations/peers.ts';

export type DiscoveryMethod = (typeof discoveryMethods)[number];

/** Peers that are remembered; of those that are not connected, the longest known is forgotten first. */
const maxPeers = 1_000;

interface Entry {
  connected: boolean;
  readonly foundBy: Set<DiscoveryMethod>;
  speaksCarriage: boolean;
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

  identified(peerId: string, speaksCarriage: boolean): void {
    this.#entry(peerId).speaksCarriage = speaksCarriage;
  }

  measured(peerId: string, latencyMs: number): void {
    this.#entry(peerId).latencyMs = latencyMs;
  }

  foundBy(peerId: string): DiscoveryMethod[] {
    return [...(this.#entries.get(peerId)?.foundBy ?? [])];
  }

  speaksCarriage(peerId: string): boolean {
    return this.#entries.get(peerId)?.speaksCarriage ?? false;
  }

  latencyMs(peerId: string): number | null {
    return this.#entries.get(peerId)?.latencyMs ?? null;
  }

  #entry(peerId: string): Entry {
    let entry = this.#entries.get(peerId);
    if (entry === undefined) {
      entry = { connected: false, foundBy: new Set(), speaksCarriage: false, latencyMs: null };
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
