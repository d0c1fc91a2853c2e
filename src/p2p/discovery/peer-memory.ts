/**
 * Who was met before: peers and their addresses, kept in a file across restarts, so that a node finds the mesh again when its
 * bootstrap nodes are gone. The file is the node's own note and is signed by nobody: it only says where to knock.
 */

import { getLogger } from '@logtape/logtape';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { z } from 'zod';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { readPrivateFile, writePrivateFile } from '../../trust/private-file.ts';
import { dialable } from '../reach/addresses.ts';

const log = getLogger(['taskmesh', 'p2p', 'memory']);

/** Peers that are remembered; the ones that were not seen for longest are forgotten first. */
const maxPeers = 256;

/** Addresses that are remembered of each. */
const maxAddresses = 16;

/** A peer that was not seen for so long is forgotten, in seconds: thirty days. */
const maxAgeS = 30 * 24 * 3600;

/** Changes within this time are written together, in milliseconds. */
const writeDelayMs = 2_000;

const remembered = z.object({
  peers: z
    .array(
      z.object({
        peer_id: z.string().max(200),
        addresses: z.array(z.string().max(1000)).max(maxAddresses),
        seen_at: z.number(),
      }),
    )
    .max(maxPeers),
});

interface Memory {
  readonly addresses: readonly Multiaddr[];
  readonly seenAtS: number;
}

export interface PeerMemoryOptions {
  file: string;
  clock: Clock;
}

export class PeerMemory {
  readonly #options: PeerMemoryOptions;
  /** The longest unseen first. */
  readonly #peers: Map<string, Memory>;
  #cancelTimer: CancelTimer | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: PeerMemoryOptions, peers: Map<string, Memory>) {
    this.#options = options;
    this.#peers = peers;
  }

  /** A damaged file is no reason not to start: then nobody is remembered. */
  static async open(options: PeerMemoryOptions): Promise<PeerMemory> {
    const peers = new Map<string, Memory>();
    const bytes = await readPrivateFile(options.file);
    try {
      const read =
        bytes === undefined ? { peers: [] } : remembered.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
      const oldest = options.clock.nowMs() / 1000 - maxAgeS;
      for (const { peer_id, addresses, seen_at } of read.peers.sort((a, b) => a.seen_at - b.seen_at)) {
        const usable = addresses.flatMap((text) => dialable(multiaddr(text), peer_id));
        if (seen_at > oldest && usable.length > 0) peers.set(peer_id, { addresses: usable, seenAtS: seen_at });
      }
    } catch (error) {
      log.warn('The remembered peers in {file} are damaged and were left out: {error}', { file: options.file, error });
      peers.clear();
    }
    return new PeerMemory(options, peers);
  }

  get peerIds(): string[] {
    return [...this.#peers.keys()];
  }

  addressesOf(peerId: string): readonly Multiaddr[] {
    return this.#peers.get(peerId)?.addresses ?? [];
  }

  /** The peer is there, and says that it can be reached at these addresses, or was reached there. */
  seen(peerId: string, addresses: readonly Multiaddr[]): void {
    const usable = addresses.flatMap((address) => dialable(address, peerId)).slice(0, maxAddresses);
    if (usable.length === 0) return;
    this.#peers.delete(peerId);
    this.#peers.set(peerId, { addresses: usable, seenAtS: this.#options.clock.nowMs() / 1000 });
    const [longestUnseen] = this.#peers.keys();
    if (this.#peers.size > maxPeers && longestUnseen !== undefined) this.#peers.delete(longestUnseen);
    this.#cancelTimer ??= this.#options.clock.setTimer(writeDelayMs, () => void this.#write());
  }

  /** Writes what was not written yet. */
  async close(): Promise<void> {
    if (this.#cancelTimer !== undefined) void this.#write();
    await this.#writing;
  }

  #write(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#writing = this.#writing.then(async () => {
      const peers = [...this.#peers].map(([peer_id, { addresses, seenAtS }]) => ({
        peer_id,
        addresses: addresses.map(String),
        seen_at: seenAtS,
      }));
      try {
        await writePrivateFile(this.#options.file, Buffer.from(`${JSON.stringify({ peers }, undefined, 2)}\n`));
      } catch (error) {
        log.warn('The remembered peers could not be written: {error}', { error });
      }
    });
    return this.#writing;
  }
}
