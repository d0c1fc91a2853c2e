/** Nodes of one mesh with a key, listed or not, and tickets: what the tests of trust are made of. */

import { defaultGrant, type Grant } from '../../../src/mesh/grant.ts';
import type { NodeOptions } from '../../../src/mesh/node-options.ts';
import type { NodeDependencies } from '../../../src/p2p/options.ts';
import type { JoinEntry, PeerEntry } from '../../../src/trust/entries.ts';
import { hashOfSecret, newTicketId, newTicketSecret } from '../../../src/trust/ticket.ts';
import { TrustFolder } from '../../../src/trust/trust-folder.ts';
import { makeMeshKey } from '../../support/mesh-key.ts';
import { type TempFolder, tempFolder } from '../../support/temp-folder.ts';
import { startNode, type TestNode, until } from '../support.ts';

/** A mesh key in a folder of its own. */
export interface TestMesh extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly key: string;
  start(options?: Partial<NodeOptions>, dependencies?: NodeDependencies): Promise<TestNode>;
}

export async function testMesh(): Promise<TestMesh> {
  const folder = await tempFolder();
  const key = folder.file('mesh.key');
  await makeMeshKey(key);
  return {
    folder,
    key,
    start: (options, dependencies) => startNode({ meshKeyFile: key, ...options }, dependencies),
    [Symbol.asyncDispose]: () => folder.remove(),
  };
}

export function trustOf({ folder }: TestNode): TrustFolder {
  return new TrustFolder(folder);
}

export function entryOf(peerId: string, grant: Partial<Grant> = {}, more: Partial<PeerEntry> = {}): PeerEntry {
  return {
    peer_id: peerId,
    label: '',
    grant: { ...defaultGrant, ...grant },
    added_at: 1,
    revoked_at: null,
    addresses: [],
    ticket: null,
    ...more,
  };
}

/** Lists the peer at the node, as `taskmesh grant` does. */
export async function list(at: TestNode, peer: TestNode | string, grant: Partial<Grant> = {}): Promise<void> {
  await trustOf(at).peers.put(entryOf(typeof peer === 'string' ? peer : peer.peerId, grant));
}

/** Shuts the peer out, as `taskmesh revoke` does. */
export async function revoke(at: TestNode, peer: TestNode): Promise<void> {
  const { peers } = trustOf(at);
  const entry = (await peers.get(peer.peerId)) ?? entryOf(peer.peerId);
  await peers.put({ ...entry, revoked_at: Date.now() / 1000 });
}

export interface TicketOptions {
  grant?: Partial<Grant>;
  once?: boolean;
  expiresAt?: number;
}

/** Makes a ticket at the inviter, as `taskmesh invite` does, in the form in which the joiner keeps it. */
export async function invite(inviter: TestNode, options: TicketOptions = {}): Promise<JoinEntry> {
  const id = newTicketId();
  const secret = newTicketSecret();
  const expiresAt = options.expiresAt ?? Math.floor(Date.now() / 1000) + 3600;
  await trustOf(inviter).tickets.put({
    id,
    secret_hash: hashOfSecret(secret),
    created_at: 1,
    expires_at: expiresAt,
    once: options.once ?? true,
    label: '',
    grant: { ...defaultGrant, ...options.grant },
  });
  return {
    id,
    secret: Buffer.from(secret).toString('base64url'),
    inviter: inviter.peerId,
    addresses: [inviter.address],
    expires_at: expiresAt,
    refused: null,
  };
}

/** Lists the inviter and shows it the ticket, as `taskmesh join` does. */
export async function redeem(joiner: TestNode, ticket: JoinEntry): Promise<void> {
  const trust = trustOf(joiner);
  await trust.joins.put(ticket);
  await trust.peers.put(entryOf(ticket.inviter, { introduce: true }, { addresses: [...ticket.addresses] }));
}

/** How a join ended: undefined when it went well. */
export async function joinOutcome(joiner: TestNode, { id }: JoinEntry): Promise<string | undefined> {
  const { joins } = trustOf(joiner);
  let refused: string | undefined;
  await until(async () => {
    const entry = await joins.get(id);
    refused = entry?.refused ?? undefined;
    return entry === undefined || refused !== undefined;
  });
  return refused;
}
