/**
 * Time as an argument: everything that measures, waits or stamps takes a `Clock`, so that tests can turn it by hand.
 */

import { clearTimeout, setTimeout } from 'node:timers';

/** Ends a pending timer; idempotent. */
export type CancelTimer = () => void;

export interface Clock {
  /** Wall time in epoch milliseconds: for stamps that people and other machines read. May jump. */
  nowMs(): number;
  /** Monotonic milliseconds from an arbitrary origin: for leases, deadlines and durations. Never goes back. */
  monotonicMs(): number;
  /** Calls `fire` once after `delayMs` of monotonic time. Keeps the process alive only when it is told to. */
  setTimer(delayMs: number, fire: () => void, options?: { keepAlive: boolean }): CancelTimer;
}

/** Timers beyond this are cut short by the runtimes (2^31 - 1 ms); `systemClock` re-arms them. */
const longestTimerMs = 2_147_483_647;

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fire, { keepAlive } = { keepAlive: false }) {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(leftMs, 0), longestTimerMs);
      handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : fire()), stepMs);
      if (!keepAlive) handle.unref();
    };
    arm(delayMs);
    return () => clearTimeout(handle);
  },
};
