/**
 * Makes the `Mesh` that everybody holds from whatever carries the calls: checks each input once, and gives each call a
 * deadline.
 */

import { checkInput } from './check-input.ts';
import { deadlineOf } from './deadline.ts';
import { toMeshError } from './errors.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Mesh, UncheckedMesh } from './mesh.ts';

export function checked(inner: UncheckedMesh, limits: Limits = defaultLimits): Mesh {
  return {
    async call(name, input, options = {}) {
      const fit = checkInput(name, input, limits);
      const deadlineMs = options.deadlineMs ?? deadlineOf(name, fit, limits);
      try {
        return await inner.call(name, fit, { ...options, deadlineMs });
      } catch (thrown) {
        throw toMeshError(thrown);
      }
    },
    subscribe: (listener) => inner.subscribe(listener),
  };
}
