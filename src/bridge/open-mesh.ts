/**
 * Where the P2P node runs is this one choice; nothing else in the program knows it. Called by the entrypoints and by
 * `createMesh`, never by a request handler.
 */

import { MeshError } from '../mesh/errors.ts';
import type { HostedMesh } from '../mesh/mesh.ts';
import { type Layout, layouts, type NodeOptions } from '../mesh/node-options.ts';
import { parseRpcAddress, type RpcAddress } from '../mesh/rpc-address.ts';
import type { Command } from './child-process.ts';
import { childWay } from './child-way.ts';
import type { FarSideWay } from './far-side-life.ts';
import { inlineMesh } from './inline-mesh.ts';
import { serviceWay } from './service-way.ts';
import { SupervisedMesh } from './supervised-mesh.ts';
import { workerWay } from './worker-way.ts';

export interface ProcessOptions {
  /** A service that somebody else runs, such as `unix:/run/taskmesh/p2p.sock`. */
  service?: string | undefined;
  /** File that holds that service's token. */
  tokenFile?: string | undefined;
  /** Starts a supervised service, where nobody else runs one; `rpc` is where it listens, the first for this mesh. */
  child?: { command: Command; rpc: readonly string[] } | undefined;
}

export interface OpenMeshOptions {
  layout: Layout;
  node: Omit<NodeOptions, 'layout'>;
  logLevel: string;
  /** For the layout `process`: what to connect to, or what to start. */
  process?: ProcessOptions | undefined;
  /** The P2P side ended again and again and is not started any more: the mesh is of no use. */
  onDown(cause: Error): void;
}

/** Builds the mesh of the chosen layout; the caller starts and stops it. */
export async function openMesh({ layout, node, logLevel, process, onDown }: OpenMeshOptions): Promise<HostedMesh> {
  const options: NodeOptions = { ...node, layout };
  switch (layout) {
    case 'inline': {
      const { createNode } = await import('./far-side/own-loop.ts');
      return inlineMesh(createNode(options));
    }
    case 'worker':
      return new SupervisedMesh(workerWay({ node: options, logLevel }), { onDown });
    case 'process':
      return new SupervisedMesh(processWay(options, logLevel, process), { onDown });
    default:
      throw new MeshError('invalid_config', `There is no layout "${layout}". Choose one of: ${layouts.join(', ')}.`);
  }
}

function processWay(node: NodeOptions, logLevel: string, options: ProcessOptions = {}): FarSideWay {
  const { service, tokenFile, child } = options;
  if (service !== undefined) return serviceWay({ address: addressOf(service), tokenFile });
  if (child !== undefined) {
    return childWay({ command: child.command, service: { node, rpc: child.rpc.map(addressOf), logLevel } });
  }
  throw new MeshError('invalid_config', 'The layout process needs a P2P service to connect to. Start one and name it.');
}

function addressOf(text: string): RpcAddress {
  const address = parseRpcAddress(text);
  if (address !== undefined) return address;
  throw new MeshError(
    'invalid_config',
    `"${text}" is no address of a P2P service: unix:/path or http://127.0.0.1:<port>.`,
  );
}
