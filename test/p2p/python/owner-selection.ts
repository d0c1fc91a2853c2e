/**
 * Which worker a Python node means a task for, of those that it has seen in the last 300 s: what the scripted Python node does, held
 * to the vectors. taskmesh itself gives a task to whoever asks.
 */

import { sha256 } from '../../../src/p2p/python/merkle-clock.ts';

export interface HashedTask {
  readonly taskId: string;
  readonly taskType: string;
  readonly modelName: string;
}

export function taskHash({ taskId, taskType, modelName }: HashedTask): string {
  return sha256(`${taskId}:${taskType}:${modelName}`);
}

/** How far each peer is from a task at a reading of the clock: differing bits, 0 to 256. Both hashes are hex. */
export function distances(clockRoot: string, task: string, peers: readonly string[]): number[] {
  const wanted = Buffer.from(sha256(`${clockRoot}:${task}`), 'hex');
  return peers.map((peer) => differingBits(wanted, Buffer.from(sha256(peer), 'hex')));
}

/** The nearest peer, the first of those that are equally near; undefined when there is none. */
export function selectOwner(clockRoot: string, task: string, peers: readonly string[]): string | undefined {
  const found = distances(clockRoot, task, peers);
  return peers[found.indexOf(Math.min(...found))];
}

function differingBits(one: Uint8Array, other: Uint8Array): number {
  let bits = 0;
  for (const [at, byte] of one.entries()) for (let left = byte ^ (other[at] ?? 0); left > 0; left &= left - 1) bits++;
  return bits;
}
