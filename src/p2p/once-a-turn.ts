/**
 * What is dear to find out and stays the same for as long as one turn of the event loop lasts: found out once, however many ask in
 * that turn. Used by `status`, which a peer may ask for thousands of times a second.
 */

import { setImmediate } from 'node:timers';

/** `atTurnEnd` is for tests. */
export function onceATurn<Value>(find: () => Value, atTurnEnd: (run: () => void) => void = setImmediate): () => Value {
  let found: { readonly value: Value } | undefined;
  return () => {
    if (found === undefined) {
      found = { value: find() };
      atTurnEnd(() => {
        found = undefined;
      });
    }
    return found.value;
  };
}
