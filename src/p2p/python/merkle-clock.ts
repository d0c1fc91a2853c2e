/**
 * The vector clock that Python nodes tell each other with heartbeats and claims. A node counts its own place on when it hears of
 * others; the root is one hash over all places.
 */

import { createHash } from 'node:crypto';
import { asciiJson } from './json.ts';

/** Places that one clock holds at most: they come from outside. */
const maxPlaces = 256;
const maxNameLength = 200;

export interface ClockReading {
  readonly node_id: string;
  readonly vector: Readonly<Record<string, number>>;
  readonly merkle_root: string;
}

export class MerkleClock {
  readonly #nodeId: string;
  readonly #vector: Map<string, number>;

  constructor(nodeId: string, vector: Readonly<Record<string, number>> = {}) {
    this.#nodeId = nodeId;
    this.#vector = new Map(Object.entries(vector));
    if (!this.#vector.has(nodeId)) this.#vector.set(nodeId, 0);
  }

  /** Takes the greater count of each place, then counts the own one on. What is no count is left out. */
  merge(vector: Readonly<Record<string, unknown>>): void {
    for (const [name, count] of Object.entries(vector)) {
      if (!Number.isSafeInteger(count) || (count as number) < 0 || name.length > maxNameLength) continue;
      const known = this.#vector.get(name);
      if (known === undefined && this.#vector.size >= maxPlaces) continue;
      this.#vector.set(name, Math.max(known ?? 0, count as number));
    }
    this.tick();
  }

  /** Somebody else may have claimed that the own place is at the greatest count there is; it stays there then. */
  tick(): void {
    const own = this.#vector.get(this.#nodeId) ?? 0;
    this.#vector.set(this.#nodeId, Math.min(own + 1, Number.MAX_SAFE_INTEGER));
  }

  read(): ClockReading {
    const vector = Object.fromEntries(this.#vector);
    return { node_id: this.#nodeId, vector, merkle_root: sha256(clockPreimage(this.#vector)) };
  }
}

/** What the root is the hash of: pairs in the order of their names' code points, written as Python does by default. */
export function clockPreimage(vector: ReadonlyMap<string, number>): string {
  const pairs = [...vector].sort(([a], [b]) => byCodePoint(a, b));
  return `[${pairs.map(([name, count]) => `[${asciiJson(name)}, ${count}]`).join(', ')}]`;
}

/** JavaScript compares UTF-16 units, which puts what is beyond U+FFFF in another place. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (const [at, character] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    if (character !== other) return (character.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0);
  }
  return left.length - right.length;
}

/** SHA-256 of a text's UTF-8, as hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
