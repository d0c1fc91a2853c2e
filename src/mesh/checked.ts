/**
 * Makes the `Mesh` that everybody holds from whatever carries the calls: checks each input once, and gives each call a
 * deadline.
 */

import { checkInput } from './check-input.ts';
import { deadlineOf } from './deadline.ts';
import { toMeshError } from './errors.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { CallOptions, Mesh, UncheckedMesh } from './mesh.ts';

export function checked(inner: UncheckedMesh, limits: Limits = defaultLimits): Mesh {
  return {
    async call(name, input, options = {}) {
      const fit = checkInput(name, input, limits);
      try {
        return await inner.call(
          name,
          fit,
          timed(options, () => deadlineOf(name, fit, limits)),
        );
      } catch (thrown) {
        throw toMeshError(thrown);
      }
    },
    subscribe: (listener) => inner.subscribe(listener),
  };
}

/** As it is where there is a deadline: options may look up what they hold when they are asked for it. */
function timed(options: CallOptions, deadlineMs: () => number): CallOptions {
  if (options.deadlineMs !== undefined) return options;
  const { signal, onProgress } = options;
  return { ...(signal && { signal }), ...(onProgress && { onProgress }), deadlineMs: deadlineMs() };
}
