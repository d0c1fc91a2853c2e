/**
 * What the node knows of other nodes beyond what libp2p keeps: how it heard of them, and which of them speak the carriage.
 */

import type { discoveryMethods } from '../mesh/operations/peers.ts';

export type DiscoveryMethod = (typeof discoveryMethods)[number];

/** Peers that are remembered; the longest known and not connected goes first. */
const maxPeers = 1_000;

interface Entry {
  readonly foundBy: Set<DiscoveryMethod>;
  speaksCarriage: boolean;
  latencyMs: number | null;
}

export class PeerBook {
  readonly #entries = new Map<string, Entry>();

  found(peerId: string, method: DiscoveryMethod): void {
    this.#entry(peerId).foundBy.add(method);
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

  foundByMethod(method: DiscoveryMethod): string[] {
    return [...this.#entries].filter(([, { foundBy }]) => foundBy.has(method)).map(([peerId]) => peerId);
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
      entry = { foundBy: new Set(), speaksCarriage: false, latencyMs: null };
      this.#entries.set(peerId, entry);
      const [oldest] = this.#entries.keys();
      if (this.#entries.size > maxPeers && oldest !== undefined) this.#entries.delete(oldest);
    }
    return entry;
  }
}
