/**
 * Where the P2P node runs is this one choice; nothing else in the program knows it. Called by the entrypoints and by
 * `createMesh`, never by a request handler.
 */

import { MeshError } from '../mesh/errors.ts';
import type { HostedMesh } from '../mesh/mesh.ts';
import { type Layout, layouts, type NodeOptions } from '../mesh/node-options.ts';
import { inlineMesh } from './inline-mesh.ts';
import { SupervisedMesh } from './supervised-mesh.ts';
import { workerWay } from './worker-way.ts';

export interface OpenMeshOptions {
  layout: Layout;
  node: Omit<NodeOptions, 'layout'>;
  logLevel: string;
  /** The P2P side ended again and again and is not started any more: the mesh is of no use. */
  onDown(cause: Error): void;
}

/** Builds the mesh of the chosen layout; the caller starts and stops it. */
export async function openMesh({ layout, node, logLevel, onDown }: OpenMeshOptions): Promise<HostedMesh> {
  const options: NodeOptions = { ...node, layout };
  switch (layout) {
    case 'inline': {
      const { createNode } = await import('./far-side/own-loop.ts');
      return inlineMesh(createNode(options));
    }
    case 'worker':
      return new SupervisedMesh(workerWay({ node: options, logLevel }), { onDown });
    default:
      throw new MeshError('invalid_config', `There is no layout "${layout}". Choose one of: ${layouts.join(', ')}.`);
  }
}
