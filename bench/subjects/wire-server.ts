/** The far end of the suite `wire`, in a process of its own, on the runtime that the cell names. Started by `wire.ts`. */

import { serveParent } from './own-child.ts';
import { serveWays } from './wire-ends.ts';

await serveParent(async () => {
  const { addresses, close } = await serveWays();
  return { ready: addresses, close };
});
