/**
 * What a node is made of: plain data, so that it crosses to a worker thread. Made by the entrypoints and by `createMesh`;
 * the bridge carries it, the P2P room reads it.
 */

import type { Grant } from './grant.ts';
import type { Limits } from './limits.ts';

/** Whom a node with a mesh key serves: the peers on its list, or everybody who has the key. */
export const admissions = ['listed', 'mesh-key'] as const;
export type Admission = (typeof admissions)[number];

/** Where the P2P node may run, relative to the loop of whoever holds the mesh. */
export const layouts = ['inline', 'worker', 'process'] as const;
export type Layout = (typeof layouts)[number];

/** How a node speaks to Python nodes, which know no mesh key: on a host of its own. */
export interface PythonOptions {
  /** Multiaddrs (TCP) to listen on for them. Empty: none, and only `peers` are spoken to. */
  listen: string[];
  /** Python nodes to use: multiaddrs, with or without their peer id, or paths of their announce files. */
  peers: string[];
  /** File with the token that stands in the key's place, both ways; a listener needs one. Default: `python.token` in the data folder, if there is one. */
  tokenFile?: string;
  /** Whether the older protocol of one line each way is spoken too. */
  legacy: boolean;
  /** Seconds that a Python worker may take for a task: it never renews its lease. */
  leaseSeconds: number;
  /** What whoever holds the token may do, where it differs from the default: submit and work; no tools, no cache. */
  grant?: Partial<Grant>;
}

export interface NodeOptions {
  /** Folder of identity, queue, cache and keys; made if need be, with mode 0700. One node at a time holds it. */
  dataFolder: string;
  /** Multiaddrs to listen on (TCP and WebSockets). Beyond loopback they need a mesh key. Empty: dials only. */
  listen: string[];
  /** Nodes to connect to and stay connected with: multiaddrs that end in `/p2p/<peer id>`, or paths of announce files. */
  bootstrap: string[];
  /** File that tells others this node's peer id and addresses. Default: `announce.json` in the data folder. */
  announceFile?: string;
  /** Whether to look for nodes, and to be found, by multicast DNS. */
  mdns: boolean;
  /** Addresses to be told to others besides those that are listened on: a forwarded port, a proxy in front of WebSockets. */
  announce?: string[];
  /** Whether to take part in the mesh's DHT. Default: when there is a mesh key. */
  dht?: boolean;
  /** Whether to carry connections between peers of the mesh that cannot reach each other. Default: false. */
  relay?: boolean;
  /** Relays to be reached by, as multiaddrs that end in `/p2p/<peer id>`: the node stays connected with them and has a place there. */
  relays?: string[];
  /** File with the mesh's shared key: only nodes that have it can connect. Default: `mesh.key` in the data folder, if there is one. */
  meshKeyFile?: string;
  /** Whom the node serves when it has a mesh key. Default: `listed`. Without a key, everybody who can connect. */
  admit?: Admission;
  /** What a peer may do that is served without being on the list. Default: submit and work (`defaultGrant`). */
  defaultGrant?: Grant;
  /** Speaking to Python nodes. Without it there is nothing for them: no host, no listener. */
  python?: PythonOptions;
  /** Module whose default export is a record of tools offered to peers. */
  toolsModule?: string;
  /** Where the node runs: shown by `status`, decides nothing here. */
  layout: string;
  /** Tighter or wider bounds than the defaults. */
  limits?: Partial<Limits>;
}
