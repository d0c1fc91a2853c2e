/**
 * Many deadlines, one timer. Called by `leases.ts`. A binary heap that knows where each entry is, so that entries that are
 * moved or dropped leave nothing behind.
 */

import type { CancelTimer, Clock } from '../mesh/clock.ts';

interface Entry<Key> {
  readonly key: Key;
  /** Monotonic milliseconds. */
  atMs: number;
  position: number;
}

export class Deadlines<Key> {
  readonly #clock: Clock;
  readonly #due: (key: Key) => void;
  readonly #entries = new Map<Key, Entry<Key>>();
  readonly #heap: Entry<Key>[] = [];
  #armed: { atMs: number; cancel: CancelTimer } | undefined;

  /** `due` is called once for each key whose time has come; the key is dropped before. */
  constructor(clock: Clock, due: (key: Key) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Sets or moves the deadline of a key, in monotonic milliseconds. */
  set(key: Key, atMs: number): void {
    const entry = this.#entries.get(key) ?? { key, atMs, position: this.#heap.length };
    if (entry.position === this.#heap.length) {
      this.#heap.push(entry);
      this.#entries.set(key, entry);
    }
    entry.atMs = atMs;
    this.#settle(entry);
    this.#arm();
  }

  drop(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    last.position = entry.position;
    this.#heap[last.position] = last;
    this.#settle(last);
  }

  clear(): void {
    this.#heap.length = 0;
    this.#entries.clear();
    this.#armed?.cancel();
    this.#armed = undefined;
  }

  /** A timer that is armed for too early is left: it fires, finds nothing due, and is armed anew. Renewals stay cheap so. */
  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || (this.#armed !== undefined && this.#armed.atMs <= first.atMs)) return;
    this.#armed?.cancel();
    const cancel = this.#clock.setTimer(first.atMs - this.#clock.monotonicMs(), () => {
      this.#armed = undefined;
      this.#fire();
    });
    this.#armed = { atMs: first.atMs, cancel };
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      this.drop(first.key);
      this.#due(first.key);
    }
    this.#arm();
  }

  #settle(entry: Entry<Key>): void {
    this.#rise(entry);
    this.#sink(entry);
  }

  #rise(entry: Entry<Key>): void {
    while (entry.position > 0) {
      const above = this.#heap[(entry.position - 1) >> 1];
      if (above === undefined || above.atMs <= entry.atMs) return;
      this.#swap(entry, above);
    }
  }

  #sink(entry: Entry<Key>): void {
    for (;;) {
      const left = this.#heap[2 * entry.position + 1];
      const right = this.#heap[2 * entry.position + 2];
      const least = right !== undefined && left !== undefined && right.atMs < left.atMs ? right : left;
      if (least === undefined || least.atMs >= entry.atMs) return;
      this.#swap(entry, least);
    }
  }

  #swap(a: Entry<Key>, b: Entry<Key>): void {
    [a.position, b.position] = [b.position, a.position];
    this.#heap[a.position] = a;
    this.#heap[b.position] = b;
  }
}
