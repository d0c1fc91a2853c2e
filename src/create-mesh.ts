/**
 * A node for programs that use taskmesh as a library: opened, started, and checked, in one call.
 */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { openMesh } from './bridge/open-mesh.ts';
import { checked } from './mesh/checked.ts';
import type { Grant } from './mesh/grant.ts';
import type { Mesh } from './mesh/mesh.ts';
import type { Admission, Layout, PythonOptions } from './mesh/node-options.ts';

export interface CreateMeshOptions {
  /** Folder of identity, queue, cache and keys; one node at a time holds it. Default: `~/.taskmesh`. */
  data?: string;
  /** Multiaddrs to listen on. Default: any free TCP port of loopback. Beyond loopback a mesh key is needed. */
  listen?: string[];
  /** Nodes to stay connected with: multiaddrs that end in `/p2p/<peer id>`, or paths of their announce files. */
  bootstrap?: string[];
  /** Whether to find nodes, and to be found, by multicast DNS. Default: true. */
  mdns?: boolean;
  /** Whether to take part in the mesh's distributed hash table. Default: when there is a mesh key. */
  dht?: boolean;
  /** Whether to carry connections between peers that cannot reach each other. Default: false. */
  relay?: boolean;
  /** Relays to be reached by: multiaddrs that end in `/p2p/<peer id>`. */
  relays?: string[];
  /** File with the mesh's shared key. Default: `mesh.key` in the data folder, if there is one. */
  meshKey?: string;
  /** Whom the node serves when it has a mesh key: the peers on its list, or whoever has the key. Default: `listed`. */
  admit?: Admission;
  /** What a peer may do that is served without being on the list. Default: submit and work; no tools. */
  defaultGrant?: Grant;
  /**
   * Speaking to nodes of the Python system: `peers` to use, addresses to `listen` on for them, or both. Default: neither. A token
   * stands in the mesh key's place; its file is `python.token` in the data folder unless `tokenFile` says otherwise.
   */
  python?: Partial<PythonOptions>;
  /** Module of tools that the node offers to its peers. */
  tools?: string;
  /** Where the P2P node runs. Default: `inline`, in this program's own event loop. */
  layout?: Exclude<Layout, 'process'>;
  /**
   * A P2P service that runs already (`taskmesh p2p`), such as `unix:/run/taskmesh/p2p.sock`, in place of a node of this
   * program's own; what is said of the node above is then the service's to decide.
   */
  service?: string;
  /** File with that service's token, where it listens by HTTP. */
  serviceTokenFile?: string;
  /** Called when the node's thread ended again and again and is not started any more. */
  onDown?: (cause: Error) => void;
}

/** A running node. Dispose of it (`await using`) to stop it. */
export type OwnMesh = Mesh & AsyncDisposable;

/**
 * Starts a node and resolves when it listens.
 *
 * Rejects with a `MeshError`: `data_folder_locked` when another node holds the folder, `data_corrupt`, `address_in_use`,
 * `invalid_multiaddr`, `invalid_config`.
 *
 * @example
 * ```ts
 * await using mesh = await createMesh({ data: './my-node' });
 * const { task_id } = await mesh.call('submit', { task_type: 'text.stats', payload: { text: 'to be or not to be' } });
 * const { task } = await mesh.call('wait', { task_id });
 * ```
 */
export async function createMesh(options: CreateMeshOptions = {}): Promise<OwnMesh> {
  const inner = await openMesh({
    layout: options.service === undefined ? (options.layout ?? 'inline') : 'process',
    process: { service: options.service, tokenFile: options.serviceTokenFile },
    logLevel: 'warning',
    onDown: options.onDown ?? (() => {}),
    node: {
      dataFolder: resolve(options.data ?? join(homedir(), '.taskmesh')),
      listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: options.bootstrap ?? [],
      mdns: options.mdns ?? true,
      ...(options.dht === undefined ? {} : { dht: options.dht }),
      relay: options.relay ?? false,
      relays: options.relays ?? [],
      ...(options.meshKey === undefined ? {} : { meshKeyFile: resolve(options.meshKey) }),
      ...(options.admit === undefined ? {} : { admit: options.admit }),
      ...(options.defaultGrant === undefined ? {} : { defaultGrant: options.defaultGrant }),
      ...(options.python === undefined ? {} : { python: pythonOptions(options.python) }),
      ...(options.tools === undefined ? {} : { toolsModule: resolve(options.tools) }),
    },
  });
  await inner.start();
  return { ...checked(inner), [Symbol.asyncDispose]: () => inner.stop() };
}

function pythonOptions({ tokenFile, ...python }: Partial<PythonOptions>): PythonOptions {
  const file = tokenFile === undefined ? {} : { tokenFile: resolve(tokenFile) };
  return { listen: [], peers: [], legacy: false, leaseSeconds: 300, ...python, ...file };
}
