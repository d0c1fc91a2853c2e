/** The listeners of a mesh's events: whoever sends events has one of these, and learns whether anybody listens. */

import type { MeshEvent, MeshListener } from './mesh.ts';

export class Listeners {
  readonly #listeners = new Set<MeshListener>();
  readonly #wanted: (wanted: boolean) => void;

  /** `wanted` is told when the first listener comes and when the last one has gone. */
  constructor(wanted: (wanted: boolean) => void = () => {}) {
    this.#wanted = wanted;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Answers the function that ends the subscription; idempotent. The same function may be added more than once. */
  add(listener: MeshListener): () => void {
    const entry: MeshListener = (event) => listener(event);
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) this.#wanted(true);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#wanted(false);
    };
  }

  emit(event: MeshEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
