/** Tells whether two submissions are the same work. Called by the engine for submissions with an idempotency key. */

import { createHash } from 'node:crypto';

/** SHA-256, as hex, over the canonical JSON of what the work is: key order does not matter. */
export function workHash(work: { task_type: string; model_name: string; payload: unknown }): string {
  const { task_type, model_name, payload } = work;
  return createHash('sha256')
    .update(canonicalJson([task_type, model_name, payload]))
    .digest('hex');
}

/** JSON with the keys of every object sorted by code unit. Nesting is bounded by the check of inputs. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    // Entries, not an object: integer-like keys and __proto__ would not keep their place in one.
    const entries = Object.entries(item).filter(([, inner]) => inner !== undefined);
    return { $: entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) };
  });
}
