/** `taskmesh revoke`: shuts a peer out, or withdraws a ticket. The running node sees the file change. */

import { noGrant } from '../mesh/grant.ts';
import { ticketIdPattern } from '../trust/ticket.ts';
import { TrustFolder } from '../trust/trust-folder.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { peerIdOf } from './trusted-peer.ts';
import { UsageError } from './usage-error.ts';

export const revokeCommand: Command = {
  name: 'revoke',
  group: 'Trust',
  summary: 'Shut a peer out, or withdraw a ticket.',
  description:
    'The peer’s streams and waits end at once, and it is not served again until "taskmesh grant" lets it in; tasks that it was working on go to others when their leases run out. Nodes that were told of the peer by this one hear of it too. A ticket is named by its id, as "taskmesh trust" shows it.',
  positionals: [
    {
      name: 'peer',
      label: 'PEER|TICKET',
      required: true,
      summary: 'A peer id, the label of a peer, or the id of a ticket.',
    },
  ],
  flags: {},
  needs: 'none',
  examples: ['revoke 12D3KooW…', 'revoke laptop', 'revoke 5b1f0c2d9a7e4411'],
  run: shutOut,
};

async function shutOut(call: CommandCall): Promise<Outcome> {
  const trust = new TrustFolder(call.settings.data);
  const named = call.arguments.peer?.[0] ?? '';
  if (ticketIdPattern.test(named)) {
    if (!(await trust.tickets.take(named)))
      throw new UsageError(`There is no ticket ${named}. "taskmesh trust" lists them.`);
    return { answer: { ok: true, ticket: named }, text: `The ticket ${named} is good no more.`, exitCode: 0 };
  }
  const peerId = await peerIdOf(named, trust);
  const nowS = call.clock.nowMs() / 1000;
  const known = await trust.peers.get(peerId);
  const entry = known ?? {
    peer_id: peerId,
    label: '',
    grant: noGrant,
    added_at: nowS,
    revoked_at: null,
    addresses: [],
    ticket: null,
  };
  const revoked = { ...entry, revoked_at: entry.revoked_at ?? nowS };
  trust.make();
  await trust.peers.put(revoked);
  return {
    answer: { ok: true, peer: revoked },
    text: `${peerId} is shut out.`,
    exitCode: 0,
    hint: 'It still has the mesh’s key, and so can connect and be refused. To take even that: make a new key ("taskmesh init --force"), and invite the others again.',
  };
}
