/**
 * The `inline` layout: the P2P node in the caller's own event loop. There is no bridge and nothing hops.
 * A file of its own, so that the other layouts load no libp2p into the server's thread.
 */

import type { RunningMesh } from '../../mesh/mesh.ts';
import type { NodeOptions } from '../../mesh/node-options.ts';
import { createNode } from '../../p2p/node.ts';

export function inlineMesh(options: NodeOptions): RunningMesh {
  return createNode(options);
}
