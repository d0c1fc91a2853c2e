/**
 * Takes tasks from the store for those who claim, and lets them wait when there is none. Called by the engine. Promises that
 * who waited longest is served first, and that a claim that was given up neither keeps a task nor a place.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';
import { MeshError } from '../mesh/errors.ts';
import { type ClaimWaiter, ClaimWaiters } from './claim-waiters.ts';
import type { Store } from './store.ts';
import type { RowPatch, StoredTask, TaskRow } from './task-row.ts';

interface ClaimRequest {
  /** Empty: any. */
  readonly types: readonly string[];
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  decide(row: TaskRow): RowPatch;
  committed(claimed: StoredTask): void;
}

/** Why a task goes back to the queue, and for how long nobody gets it. */
export interface Postponement {
  readonly reason: string;
  readonly delayMs: number;
}

const nobodyLeft: Postponement = { reason: '', delayMs: 0 };

/** It spends no attempt and is handed out again by itself: somebody may put the file back, or mount the disk. */
const unreadable: Postponement = {
  reason: 'its payload cannot be read from the disk of its node, which tries again every 30 s.',
  delayMs: 30_000,
};

interface ClaimsDependencies {
  readonly store: Store;
  readonly clock: Clock;
  /** Throws `too_many_waiters`. */
  checkRoom(): void;
  /** Takes back a task that was claimed and did not reach its claimer. Never rejects. */
  giveBack(claimed: StoredTask, why: Postponement): Promise<void>;
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
    const { clock, giveBack } = this.#dependencies;
    const dueMs = clock.monotonicMs() + request.waitMs;
    for (let waitMs = request.waitMs; ; waitMs = Math.max(0, dueMs - clock.monotonicMs())) {
      if (request.signal?.aborted) throw givenUp();
      const claimed = await this.#take({ ...request, waitMs });
      if (claimed === null) return null;
      const whole = await this.#whole(claimed);
      if (whole === undefined) continue;
      if (!request.signal?.aborted) return whole;
      void giveBack(claimed, nobodyLeft);
      throw givenUp();
    }
  }

  /** With its payload, which the store leaves out when it is large. Undefined when there is none to be had: the task is not held then. */
  async #whole(claimed: StoredTask): Promise<StoredTask | undefined> {
    if (claimed.payload !== undefined) return claimed;
    try {
      const whole = await this.#dependencies.store.read(claimed.row.id, { payload: true, result: false });
      return whole && { ...whole, row: claimed.row };
    } catch {
      // The store has told its log.
      await this.#dependencies.giveBack(claimed, unreadable);
      return undefined;
    }
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
              if (state === 'ended') void giveBack(claimed, nobodyLeft);
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
