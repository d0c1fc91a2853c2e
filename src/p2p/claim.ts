/**
 * A claim that may be served by any node: the own queue first, then each connected peer without waiting, then, if the caller
 * waits, all of them at once. The first task wins. What another one hands out all the same is given back at once: a lease is
 * never left behind silently.
 *
 * Peers are asked one after the other, so that no leases are taken only to be given back; but one that is slow to answer holds
 * nobody up: the next one is asked meanwhile.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import { ClaimRace, type ClaimSource } from './claim-race.ts';

/** Queues asked at once while a claim waits, the own one not counted. */
export const maxWaitingPeers = 16;

/** What a peer may take to say that it has nothing, in milliseconds. */
const probeMs = 2_000;

/** A peer that refused is asked again after so long, then more and more seldom, in milliseconds. */
export const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** After this the next peer is asked, although the one before has not answered, in milliseconds. */
export const headStartMs = 100;

export interface ClaimOptions {
  clock: Clock;
  waitMs: number;
  signal?: AbortSignal | undefined;
  own: ClaimSource;
  /** Peers that are connected now, in the order in which they are to be asked. */
  peers(): ClaimSource[];
  /** Calls back for each peer that connects, or has more for this node than before, until the returned function is called. */
  onPeer(joined: (source: ClaimSource) => void): () => void;
}

/** Answers the task or null. Rejects with `cancelled`, or with what the own queue rejects with. */
export async function claimAnywhere(options: ClaimOptions): Promise<ClaimedTask | null> {
  const untilMs = options.clock.monotonicMs() + options.waitMs;
  const signal = options.signal ?? new AbortController().signal;
  const first = await options.own.claim({ waitMs: 0, deadlineMs: probeMs, signal });
  if (first !== null) return first;
  const race = new ClaimRace(signal);
  run(race, options, untilMs).then(
    () => race.end(null),
    (error) => race.fail(toMeshError(error)),
  );
  return race.result;
}

async function run(race: ClaimRace, options: ClaimOptions, untilMs: number): Promise<void> {
  const answers: Promise<void>[] = [];
  for (const peer of options.peers()) {
    if (race.over.aborted) return;
    const answer = race.ask(peer, { waitMs: 0, deadlineMs: probeMs }).catch(() => {});
    answers.push(answer);
    await headStart(answer, race.over, options.clock);
  }
  if (race.over.aborted) return;
  if (options.clock.monotonicMs() < untilMs) await waitEverywhere(race, options, untilMs);
  else await Promise.all(answers);
}

/** Resolves with the answer, when the race is over, or when the next one is to be asked meanwhile. */
function headStart(answer: Promise<void>, over: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      cancelTimer();
      over.removeEventListener('abort', go);
      resolve();
    };
    const cancelTimer = clock.setTimer(headStartMs, go);
    over.addEventListener('abort', go, { once: true });
    answer.then(go);
  });
}

/**
 * The own queue's wait is the clock of the whole claim. A peer that refuses (it is busy, or does not let this node) may think
 * otherwise soon: it is asked again after a pause, and at once when it says that something has changed.
 */
async function waitEverywhere(
  race: ClaimRace,
  { clock, own, peers, onPeer }: ClaimOptions,
  untilMs: number,
): Promise<void> {
  const asked = new Set<string>();
  const pauses = new Map<string, CancelTimer>();
  /** Peers that have said that something changed while they were being asked: what they answer may be outdated. */
  const changed = new Set<string>();
  const ask = (source: ClaimSource): Promise<void> => {
    const leftMs = Math.max(0, untilMs - clock.monotonicMs());
    return race.ask(source, { waitMs: leftMs, deadlineMs: leftMs + probeMs });
  };
  const askPeer = (peer: ClaimSource, pauseMs = firstPauseMs): void => {
    if (race.over.aborted || asked.has(peer.peerId) || asked.size >= maxWaitingPeers) return;
    pauses.get(peer.peerId)?.();
    pauses.delete(peer.peerId);
    asked.add(peer.peerId);
    const again = (): void => {
      asked.delete(peer.peerId);
      if (changed.delete(peer.peerId)) {
        askPeer(peer);
        return;
      }
      if (race.over.aborted || clock.monotonicMs() + pauseMs >= untilMs) return;
      const cancelTimer = clock.setTimer(pauseMs, () => {
        pauses.delete(peer.peerId);
        // One that is gone may come back, and is asked then.
        if (peers().some(({ peerId }) => peerId === peer.peerId)) askPeer(peer, Math.min(longestPauseMs, 2 * pauseMs));
      });
      pauses.set(peer.peerId, cancelTimer);
    };
    ask(peer).then(again, again);
  };
  const stopListening = onPeer((peer) => {
    if (asked.has(peer.peerId)) changed.add(peer.peerId);
    askPeer(peer);
  });
  const end = (): void => {
    stopListening();
    for (const cancelTimer of pauses.values()) cancelTimer();
  };
  race.over.addEventListener('abort', end, { once: true });
  for (const peer of peers()) askPeer(peer);
  await ask(own);
}
