/**
 * Events on their way to one near side, in order. One batch is under way at a time; what happens meanwhile waits here.
 *
 * While the near side keeps up, it gets every event. When more than `maxPendingEvents` wait, all but the last of each task and
 * of each peer are left out; should that not be enough, the oldest go too. Both are counted, and the near side is told.
 */

import type { MeshEvent } from '../../mesh/mesh.ts';

export class EventOutbox {
  readonly #maxPending: number;
  readonly #send: (events: MeshEvent[], missed: number) => Promise<unknown>;
  #pending: MeshEvent[] = [];
  #missed = 0;
  #underWay = false;

  constructor(maxPending: number, send: (events: MeshEvent[], missed: number) => Promise<unknown>) {
    this.#maxPending = maxPending;
    this.#send = send;
  }

  get pending(): number {
    return this.#pending.length;
  }

  add(event: MeshEvent): void {
    this.#pending.push(event);
    if (this.#pending.length > this.#maxPending) this.#thinOut();
    if (!this.#underWay) {
      this.#underWay = true;
      queueMicrotask(() => void this.#flush());
    }
  }

  async #flush(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const [events, missed] = [this.#pending, this.#missed];
        this.#pending = [];
        this.#missed = 0;
        await this.#send(events, missed);
      }
    } catch {
      // The near side is gone, or too slow to be worth it: whoever comes next subscribes anew.
      this.#pending = [];
    } finally {
      this.#underWay = false;
    }
  }

  #thinOut(): void {
    const before = this.#pending.length;
    const latest = new Map<string, MeshEvent>();
    for (const event of this.#pending) {
      const key = event.type === 'task' ? event.task_id : event.peer_id;
      // Deleted first, so that the event moves to its place in time.
      latest.delete(key);
      latest.set(key, event);
    }
    const kept = [...latest.values()];
    // Half, so that thinning out is paid for by many events and not by each.
    this.#pending = kept.slice(-Math.max(1, Math.floor(this.#maxPending / 2)));
    this.#missed += before - this.#pending.length;
  }
}
