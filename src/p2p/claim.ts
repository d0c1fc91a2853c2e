/**
 * A claim that may be served by any node: the own queue first, then each connected peer without waiting, then, if the caller
 * waits, all of them at once. The first task wins. What another one hands out all the same is given back at once: a lease is
 * never left behind silently.
 */

import type { Clock } from '../mesh/clock.ts';
import { MeshError, toMeshError } from '../mesh/errors.ts';
import type { ClaimedTask } from '../mesh/task.ts';

/** Queues asked at once while a claim waits, the own one not counted. */
export const maxWaitingPeers = 16;

/** What a peer may take to say that it has nothing, in milliseconds: a silent one must not hold up the others. */
const probeMs = 2_000;

/** A queue that can be claimed from. Gives tasks back by itself when its claim was given up. */
export interface ClaimSource {
  readonly peerId: string;
  /** Answers null when there was nothing within the time. */
  claim(options: { waitMs: number; deadlineMs: number; signal: AbortSignal }): Promise<ClaimedTask | null>;
  /** Gives a task back that nobody wants. Never rejects. */
  giveBack(task: ClaimedTask): void;
}

export interface ClaimOptions {
  clock: Clock;
  waitMs: number;
  signal?: AbortSignal | undefined;
  own: ClaimSource;
  /** Peers that are connected now. */
  peers(): ClaimSource[];
  /** Calls back for each peer that connects, until the returned function is called. */
  onPeer(joined: (source: ClaimSource) => void): () => void;
}

/** Answers the task or null. Rejects with `cancelled`, or with what the own queue rejects with. */
export async function claimAnywhere(options: ClaimOptions): Promise<ClaimedTask | null> {
  const { clock, own, waitMs } = options;
  const startedMs = clock.monotonicMs();
  const signal = options.signal ?? new AbortController().signal;
  const first = await own.claim({ waitMs: 0, deadlineMs: probeMs, signal });
  if (first !== null) return first;
  for (const peer of options.peers()) {
    if (signal.aborted) throw cancelled();
    const task = await peer.claim({ waitMs: 0, deadlineMs: probeMs, signal }).catch(() => null);
    if (task !== null) return task;
  }
  if (signal.aborted) throw cancelled();
  const leftMs = waitMs - (clock.monotonicMs() - startedMs);
  return leftMs > 0 ? waitEverywhere(options, leftMs, signal) : null;
}

function waitEverywhere(options: ClaimOptions, waitMs: number, signal: AbortSignal): Promise<ClaimedTask | null> {
  const { clock, own } = options;
  const untilMs = clock.monotonicMs() + waitMs;
  return new Promise((resolve, reject) => {
    const losers = new AbortController();
    const asked = new Set<string>();
    let over = false;

    const end = (): boolean => {
      if (over) return false;
      over = true;
      leave();
      signal.removeEventListener('abort', onAbort);
      losers.abort();
      return true;
    };
    const onAbort = (): void => {
      if (end()) reject(cancelled());
    };
    const ask = async (source: ClaimSource): Promise<ClaimedTask | null> => {
      const leftMs = Math.max(0, untilMs - clock.monotonicMs());
      const task = await source.claim({ waitMs: leftMs, deadlineMs: leftMs + probeMs, signal: losers.signal });
      if (task === null) return null;
      if (end()) resolve(task);
      else source.giveBack(task);
      return task;
    };
    const askPeer = (peer: ClaimSource): void => {
      if (over || asked.has(peer.peerId) || asked.size >= maxWaitingPeers) return;
      asked.add(peer.peerId);
      // A peer that is gone may come back and is asked again then.
      ask(peer).then(
        () => asked.delete(peer.peerId),
        () => asked.delete(peer.peerId),
      );
    };

    const leave = options.onPeer(askPeer);
    signal.addEventListener('abort', onAbort, { once: true });
    for (const peer of options.peers()) askPeer(peer);
    // The own queue's wait is the clock of the whole claim.
    ask(own).then(
      (task) => task === null && end() && resolve(null),
      (error) => end() && reject(toMeshError(error)),
    );
  });
}

function cancelled(): MeshError {
  return new MeshError('cancelled', 'The claim was cancelled by its caller; no task was taken.');
}
