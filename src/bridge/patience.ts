/** How long the supervisor waits for what. Durations in milliseconds. */

export interface Patience {
  /** From the start of a far side until its node listens. */
  startMs: number;
  /** Between two health checks. */
  checkEveryMs: number;
  /** For the answer to a health check; a later one means unresponsive. Detection takes this and `checkEveryMs` at most. */
  answerWithinMs: number;
  /** A far side of ours that has not answered for this long is ended and started anew. */
  silentMs: number;
  /** Before the first restart in a row; it doubles with each further one. */
  firstBackoffMs: number;
  longestBackoffMs: number;
  /** Restarts in a row, after which a far side of ours is given up. */
  maxRestarts: number;
  /** A far side that was up for this long ends the row. */
  calmMs: number;
  /** How long a call that was sent nowhere waits for the far side to come back. */
  restartMs: number;
  /** Calls that may wait so. */
  maxWaiting: number;
}

export const defaultPatience: Patience = {
  startMs: 30_000,
  checkEveryMs: 1_000,
  answerWithinMs: 2_000,
  silentMs: 30_000,
  firstBackoffMs: 100,
  longestBackoffMs: 10_000,
  maxRestarts: 10,
  calmMs: 60_000,
  restartMs: 5_000,
  maxWaiting: 1_000,
};
