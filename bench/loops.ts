/** The two ways to put load on something. Used by subjects. */

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
  const lane = async (): Promise<void> => {
    let sentAt = performance.now();
    do {
      await ask();
      const now = performance.now();
      if (count < maxSamples) latency[count] = (now - sentAt) * 1000;
      count++;
      sentAt = now;
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
 * Latency under load: so many calls a second whatever the answers do, each timed from the moment at which it was meant to start
 * (no coordinated omission). Ends when all that was sent is answered.
 */
export async function openLoop(
  ask: Ask,
  { perSecond, ms, maxInFlight = 10_000 }: OpenLoopOptions,
): Promise<OpenLoopResult> {
  const result: OpenLoopResult = { latency: [], late: [], failed: 0, rate: 0 };
  const total = Math.max(1, Math.round((perSecond * ms) / 1000));
  const open = new Set<Promise<void>>();
  const from = performance.now();
  for (let sent = 0; sent < total; ) {
    for (let now = performance.now(); sent < total; sent++) {
      const intended = from + (sent * 1000) / perSecond;
      if (intended > now) break;
      if (open.size >= maxInFlight) {
        result.failed++;
        continue;
      }
      now = performance.now();
      result.late.push((now - intended) * 1000);
      const call: Promise<void> = ask().then(
        () => void result.latency.push((performance.now() - intended) * 1000),
        () => void result.failed++,
      );
      open.add(call);
      void call.then(() => open.delete(call));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  result.rate = result.latency.length / ((performance.now() - from) / 1000);
  return result;
}
