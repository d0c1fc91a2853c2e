/** The two ways to put load on something. Used by subjects. */

import { setImmediate, setTimeout } from 'node:timers';

/** What is measured: asks once, resolves when the answer is there. Rejects when it failed. */
export type Ask = () => Promise<unknown>;

/** Latencies come in a buffer that is made before the measuring; when it is full, later calls count only for the rate. */
const maxSamples = 1 << 17;

export interface ClosedLoopResult {
  /** Of each call, in microseconds. */
  latency: Float64Array;
  /** Calls per second. */
  rate: number;
}

/** What answers within the same turn would keep the loop from everything else; so often it gets a turn, in milliseconds. */
const turnEveryMs = 1;

/**
 * Capacity: a fixed number in flight, each answer sends the next call, for so long. At least one call per lane is made. The
 * first call that fails ends it.
 */
export async function closedLoop(
  ask: Ask,
  { inFlight, ms }: { inFlight: number; ms: number },
): Promise<ClosedLoopResult> {
  const latency = new Float64Array(maxSamples);
  let count = 0;
  const from = performance.now();
  const until = from + ms;
  let turnAt = from;
  const lane = async (): Promise<void> => {
    let sentAt = performance.now();
    do {
      await ask();
      const now = performance.now();
      if (count < maxSamples) latency[count] = (now - sentAt) * 1000;
      count++;
      sentAt = now;
      if (now - turnAt > turnEveryMs) {
        await new Promise((resolve) => setImmediate(resolve));
        turnAt = sentAt = performance.now();
      }
    } while (sentAt < until);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const tookMs = performance.now() - from;
  return { latency: latency.subarray(0, Math.min(count, maxSamples)), rate: count / (tookMs / 1000) };
}

export interface OpenLoopResult {
  /** From the moment at which a call was meant to start to its answer, in microseconds. */
  latency: number[];
  /** How late the loop itself was to start calls, in microseconds. */
  late: number[];
  failed: number;
  /** Calls answered per second. */
  rate: number;
}

export interface OpenLoopOptions {
  perSecond: number;
  ms: number;
  /** Calls without an answer; beyond them calls are not sent and count as failed: the other side has fallen behind for good. */
  maxInFlight?: number;
}

/**
 * Timers fire up to this late by themselves, in milliseconds. A call that is late by less is timed from its real start, because
 * nothing but the timer held it up; one that is later is timed from the moment at which it was meant to start.
 */
const timerSlackMs = 2;

/**
 * Latency under load: so many calls a second whatever the answers do, so that a slow answer does not keep others from being
 * asked for (no coordinated omission). Ends when all that was sent is answered.
 */
export async function openLoop(
  ask: Ask,
  { perSecond, ms, maxInFlight = 10_000 }: OpenLoopOptions,
): Promise<OpenLoopResult> {
  const result: OpenLoopResult = { latency: [], late: [], failed: 0, rate: 0 };
  const total = Math.max(1, Math.round((perSecond * ms) / 1000));
  const open = new Set<Promise<void>>();
  const from = performance.now();
  const send = (intended: number): void => {
    const now = performance.now();
    const start = now - intended < timerSlackMs ? now : intended;
    result.late.push((now - intended) * 1000);
    const call: Promise<void> = ask().then(
      () => void result.latency.push((performance.now() - start) * 1000),
      () => void result.failed++,
    );
    open.add(call);
    void call.then(() => open.delete(call));
  };
  for (let sent = 0; sent < total; ) {
    for (const now = performance.now(); sent < total; sent++) {
      const intended = from + (sent * 1000) / perSecond;
      if (intended > now) break;
      if (open.size >= maxInFlight) result.failed++;
      else send(intended);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  result.rate = result.latency.length / ((performance.now() - from) / 1000);
  return result;
}
