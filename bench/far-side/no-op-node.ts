/** A node that does nothing but answer what it was asked: behind a bridge, so that the bridge alone is measured. */

import type { RunningMesh } from '../../src/mesh/mesh.ts';

export const noOpNode = (): RunningMesh => ({
  start: async () => {},
  stop: async () => {},
  call: async (_name, input) => input as never,
  subscribe: () => () => {},
  [Symbol.asyncDispose]: async () => {},
});
