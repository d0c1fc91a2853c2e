/**
 * Takes tasks from the store for those who claim, and lets them wait when there is none. Called by the engine. Promises that
 * who waited longest is served first, and that a claim that was given up neither keeps a task nor a place.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { type ClaimWaiter, ClaimWaiters } from './claim-waiters.ts';
import type { Store } from './store.ts';
import { taskNotFound } from './task-not-found.ts';
import type { RowPatch, StoredTask, TaskRow } from './task-row.ts';

interface ClaimRequest {
  /** Empty: any. */
  readonly types: readonly string[];
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  decide(row: TaskRow): RowPatch;
  committed(claimed: StoredTask): void;
}

interface ClaimsDependencies {
  readonly store: Store;
  readonly clock: Clock;
  /** Throws `too_many_waiters`. */
  checkRoom(): void;
  /** Takes back a task that was claimed for somebody who has left. */
  giveBack(claimed: StoredTask): void;
}

export class Claims {
  readonly #waiters = new ClaimWaiters();
  readonly #endings = new Set<(error: MeshError) => void>();
  readonly #dependencies: ClaimsDependencies;
  #orders = 0;

  constructor(dependencies: ClaimsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Claims that wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Types that claims wait for by name. */
  get types(): string[] {
    return this.#waiters.types;
  }

  /** A task of this type has become ready. */
  wake(type: string): void {
    this.#waiters.wake(type);
  }

  /** Fails all claims that wait. */
  close(error: MeshError): void {
    for (const end of [...this.#endings]) end(error);
  }

  /** A task, or null when there was none in time. Throws `cancelled`, `too_many_waiters` and what the store throws. */
  async claim(request: ClaimRequest): Promise<StoredTask | null> {
    if (request.signal?.aborted) throw givenUp();
    const claimed = await this.#take(request);
    const whole = claimed === null ? null : await this.#whole(claimed);
    if (claimed !== null && request.signal?.aborted) {
      this.#dependencies.giveBack(claimed);
      throw givenUp();
    }
    return whole;
  }

  /** With its payload, which the store leaves out when it is large. */
  async #whole(claimed: StoredTask): Promise<StoredTask> {
    if (claimed.payload !== undefined) return claimed;
    const { id } = claimed.row;
    const whole = await this.#dependencies.store.read(id, { payload: true, result: false });
    if (whole === undefined) throw taskNotFound(id);
    return { ...whole, row: claimed.row };
  }

  #take(request: ClaimRequest): Promise<StoredTask | null> {
    const { store, clock, checkRoom, giveBack } = this.#dependencies;
    return new Promise((resolve, reject) => {
      let state: 'new' | 'waiting' | 'ended' = 'new';
      let timeIsUp = request.waitMs <= 0;
      let cancelTimer: CancelTimer | undefined;

      const end = (settle: () => void): void => {
        if (state === 'ended') return;
        if (state === 'waiting') this.#waiters.remove(waiter);
        state = 'ended';
        cancelTimer?.();
        this.#endings.delete(fail);
        request.signal?.removeEventListener('abort', abort);
        settle();
      };
      const fail = (error: MeshError): void => end(() => reject(error));
      const abort = (): void => fail(givenUp());

      const none = (): void => {
        waiter.trying = false;
        if (state !== 'new' || timeIsUp) return;
        checkRoom();
        state = 'waiting';
        this.#waiters.add(waiter);
        cancelTimer = clock.setTimer(request.waitMs, () => {
          timeIsUp = true;
          if (!waiter.trying) end(() => resolve(null));
        });
      };

      const waiter: ClaimWaiter = {
        types: request.types,
        order: this.#orders++,
        trying: true,
        attempt: () => {
          const attempt = {
            types: request.types,
            first: state === 'waiting',
            wanted: () => state !== 'ended',
            decide: request.decide,
            none,
            committed: (claimed: StoredTask) => {
              request.committed(claimed);
              if (state === 'ended') giveBack(claimed);
              else end(() => resolve(claimed));
            },
          };
          const answered = (claimed: StoredTask | undefined): void => {
            if (claimed === undefined && timeIsUp) end(() => resolve(null));
          };
          store.claim(attempt).then(answered, fail);
        },
      };

      this.#endings.add(fail);
      request.signal?.addEventListener('abort', abort, { once: true });
      waiter.attempt();
    });
  }
}

function givenUp(): MeshError {
  return new MeshError('cancelled', 'The claim was given up by its caller; no task is held for it.');
}
