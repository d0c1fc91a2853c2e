/** Stops a libp2p host in time: a peer that does not say goodbye must not hold up the end. Used by whoever has opened one. */

import { getLogger } from '@logtape/logtape';
import type { Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { withDeadline } from './with-deadline.ts';

const log = getLogger(['taskmesh', 'p2p']);

/** Never rejects. `goodbyeMs` is how long libp2p may take to say goodbye to its peers, in milliseconds. */
export async function stopHost(host: { stop(): unknown }, clock: Clock, goodbyeMs: number): Promise<void> {
  try {
    await withDeadline(
      { clock, deadlineMs: goodbyeMs },
      async () => void (await host.stop()),
      () => new MeshError('timeout', `libp2p had not stopped after ${goodbyeMs} ms.`),
    );
  } catch (error) {
    log.warn('libp2p did not stop cleanly: {error}', { error });
  }
}
