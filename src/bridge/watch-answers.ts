/**
 * Asks a far side now and then whether it answers, and says what came of it. Used by the supervisor for each life.
 *
 * Detection of a silent far side takes `checkEveryMs` and `answerWithinMs` at most.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';
import type { MeshError } from '../mesh/errors.ts';
import type { FarSideLife } from './far-side-life.ts';
import type { Patience } from './patience.ts';
import { verbs } from './protocol.ts';

export interface WatchAnswersOptions {
  clock: Pick<Clock, 'monotonicMs'>;
  patience: Pick<Patience, 'checkEveryMs' | 'answerWithinMs'>;
  /** A timer of the supervisor's. */
  after(delayMs: number, act: () => void): CancelTimer;
  /** What came of one question: milliseconds since the first of those in a row that got no answer, or undefined. True to go on. */
  heard(silentForMs: number | undefined): boolean;
}

/** Answers the function that ends it. */
export function watchAnswers({ near }: FarSideLife, options: WatchAnswersOptions): () => void {
  const { clock, patience, after, heard } = options;
  let cancelNext: CancelTimer = () => {};
  let silentSince: number | undefined;
  const next = (): void => {
    cancelNext = after(patience.checkEveryMs, () => void ask());
  };
  const ask = async (): Promise<void> => {
    const from = clock.monotonicMs();
    const answered = await near.ask(verbs.ping, {}, patience.answerWithinMs).then(
      () => true,
      (error: MeshError) => error.code !== 'timeout',
    );
    if (answered) silentSince = undefined;
    else silentSince ??= from;
    if (heard(silentSince === undefined ? undefined : clock.monotonicMs() - silentSince)) next();
  };
  next();
  return () => cancelNext();
}
