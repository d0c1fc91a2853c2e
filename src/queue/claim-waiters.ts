/**
 * Claims that wait for a task, in the order in which they came. Called by `claims.ts`. A claim stands in the line of each of
 * its types, or in the line of those who take any; whoever leaves, leaves all lines.
 */

export interface ClaimWaiter {
  /** Empty: any. */
  readonly types: readonly string[];
  /** Grows with every waiter: who came first. */
  readonly order: number;
  /** Whether an attempt of it is on its way: then it is not woken again. */
  trying: boolean;
  /** Makes one attempt. */
  attempt(): void;
}

export class ClaimWaiters {
  /** Sets keep the order in which waiters were added. */
  readonly #lines = new Map<string, Set<ClaimWaiter>>();
  readonly #any = new Set<ClaimWaiter>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Types that somebody waits for by name. */
  get types(): string[] {
    return [...this.#lines.keys()];
  }

  add(waiter: ClaimWaiter): void {
    this.#size++;
    if (waiter.types.length === 0) this.#any.add(waiter);
    for (const type of new Set(waiter.types)) {
      const line = this.#lines.get(type);
      if (line === undefined) this.#lines.set(type, new Set([waiter]));
      else line.add(waiter);
    }
  }

  remove(waiter: ClaimWaiter): void {
    this.#size--;
    this.#any.delete(waiter);
    for (const type of waiter.types) {
      const line = this.#lines.get(type);
      line?.delete(waiter);
      if (line?.size === 0) this.#lines.delete(type);
    }
  }

  /** One task of this type has become ready: lets the one that has waited longest try for it. */
  wake(type: string): void {
    const byType = firstIdle(this.#lines.get(type));
    const any = firstIdle(this.#any);
    const first = byType !== undefined && (any === undefined || byType.order < any.order) ? byType : any;
    if (first === undefined) return;
    first.trying = true;
    first.attempt();
  }
}

/** Those who are trying are few: they are part of the commit that runs. */
function firstIdle(line: Set<ClaimWaiter> | undefined): ClaimWaiter | undefined {
  for (const waiter of line ?? []) if (!waiter.trying) return waiter;
  return undefined;
}
