/**
 * A claim that may be served by any node: the own queue first, then each connected peer without waiting, then, if the caller
 * waits, all of them at once. The first task wins. What another one hands out all the same is given back at once: a lease is
 * never left behind silently.
 *
 * Peers are asked one after the other, so that no leases are taken only to be given back; but one that is slow to answer holds
 * nobody up: the next one is asked meanwhile.
 */

import type { Clock } from '../mesh/clock.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { ClaimedTask } from '../mesh/task.ts';
import { ClaimRace, type ClaimSource } from './claim-race.ts';

/** Queues asked at once while a claim waits, the own one not counted. */
export const maxWaitingPeers = 16;

/** What a peer may take to say that it has nothing, in milliseconds. */
const probeMs = 2_000;

/** After this the next peer is asked, although the one before has not answered, in milliseconds. */
export const headStartMs = 100;

export interface ClaimOptions {
  clock: Clock;
  waitMs: number;
  signal?: AbortSignal | undefined;
  own: ClaimSource;
  /** Peers that are connected now, in the order in which they are to be asked. */
  peers(): ClaimSource[];
  /** Calls back for each peer that connects, until the returned function is called. */
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

/** The own queue's wait is the clock of the whole claim. */
async function waitEverywhere(
  race: ClaimRace,
  { clock, own, peers, onPeer }: ClaimOptions,
  untilMs: number,
): Promise<void> {
  const asked = new Set<string>();
  const ask = (source: ClaimSource): Promise<void> => {
    const leftMs = Math.max(0, untilMs - clock.monotonicMs());
    return race.ask(source, { waitMs: leftMs, deadlineMs: leftMs + probeMs });
  };
  const askPeer = (peer: ClaimSource): void => {
    if (race.over.aborted || asked.has(peer.peerId) || asked.size >= maxWaitingPeers) return;
    asked.add(peer.peerId);
    // A peer that is gone may come back and is asked again then.
    const forget = (): void => void asked.delete(peer.peerId);
    ask(peer).then(forget, forget);
  };
  race.over.addEventListener('abort', onPeer(askPeer), { once: true });
  for (const peer of peers()) askPeer(peer);
  await ask(own);
}
