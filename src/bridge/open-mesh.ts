/**
 * Where the P2P node runs is this one choice; nothing else in the program knows it. Called by the entrypoints and by
 * `createMesh`, never by a request handler.
 */

import { MeshError } from '../mesh/errors.ts';
import type { RunningMesh } from '../mesh/mesh.ts';
import { type Layout, layouts, type NodeOptions } from '../mesh/node-options.ts';
import { workerMesh } from './worker-mesh.ts';

export interface OpenMeshOptions {
  layout: Layout;
  node: Omit<NodeOptions, 'layout'>;
  logLevel: string;
  /** The node's thread ended although nobody stopped it: the mesh is of no use any more. */
  onDown(cause: Error): void;
}

/** Builds the mesh of the chosen layout; the caller starts and stops it. */
export async function openMesh({ layout, node, logLevel, onDown }: OpenMeshOptions): Promise<RunningMesh> {
  const options: NodeOptions = { ...node, layout };
  switch (layout) {
    case 'inline': {
      const { inlineMesh } = await import('./far-side/inline.ts');
      return inlineMesh(options);
    }
    case 'worker':
      return workerMesh({ node: options, logLevel, onDown });
    default:
      throw new MeshError('invalid_config', `There is no layout "${layout}". Choose one of: ${layouts.join(', ')}.`);
  }
}
