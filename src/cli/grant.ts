/** `taskmesh grant`: lists a peer, or changes what it may do. The running node sees the file change. */

import { defaultGrant, type Grant, hasName } from '../mesh/grant.ts';
import type { PeerEntry } from '../trust/entries.ts';
import { TrustFolder } from '../trust/trust-folder.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { addFlag, grantFlags, grantWords, readGrant } from './grant-flags.ts';
import { peerIdOf } from './trusted-peer.ts';
import { UsageError } from './usage-error.ts';

export const grantCommand: Command = {
  name: 'grant',
  group: 'Trust',
  summary: 'Let a peer in, or change what it may do here.',
  description:
    'Lists the peer at this node, with the default rights (submit and work; no tools) or what the flags say. A peer that is listed already keeps what no flag names; --add takes nothing away, while --submit and its like say all that their list has. One that was shut out is let in again. The running node obeys at once.',
  positionals: [{ name: 'peer', label: 'PEER', required: true, summary: 'Its peer id, or the label it was given.' }],
  flags: {
    add: addFlag,
    ...grantFlags,
    label: { kind: 'text', placeholder: 'NAME', summary: 'What people call the peer.' },
  },
  needs: 'none',
  examples: [
    'grant 12D3KooW…',
    'grant 12D3KooW… --label laptop --add tools:word_count',
    'grant laptop --add submit:text.stats,submit:report',
    'grant laptop --may submit:text.stats,see:own,cancel:own --rate 10',
  ],
  run: letIn,
};

async function letIn(call: CommandCall): Promise<Outcome> {
  const { settings, flags } = call;
  const trust = new TrustFolder(settings.data);
  const peerId = await peerIdOf(call.arguments.peer?.[0] ?? '', trust);
  const known = await trust.peers.get(peerId);
  if (typeof flags.label === 'string') await refuseOthersLabel(flags.label, peerId, trust);
  const grant = readGrant(call, known?.grant ?? defaultGrant);
  const entry = {
    peer_id: peerId,
    label: typeof flags.label === 'string' ? flags.label : (known?.label ?? ''),
    grant,
    added_at: known?.added_at ?? call.clock.nowMs() / 1000,
    revoked_at: null,
    addresses: known?.addresses ?? [],
    ticket: known?.ticket ?? null,
  };
  trust.make();
  await trust.peers.put(entry);
  const before = known?.revoked_at === null ? known.grant : null;
  const replaced = before !== null && lists.some((list) => !before[list].every((name) => hasName(grant[list], name)));
  const hint = replaced
    ? `Something was taken away: a list that a flag names is all that is allowed then. To add instead: taskmesh grant ${peerId} --add submit:NAME`
    : undefined;
  return {
    answer: { ok: true, peer: entry, before },
    text: [`${peerId} may ${grantWords(grant)}.`, beforeText(known, grant)].filter((line) => line !== '').join('\n'),
    exitCode: 0,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** A label names one peer, so that `revoke laptop` shuts out whom it means. */
async function refuseOthersLabel(label: string, peerId: string, { peers }: TrustFolder): Promise<void> {
  const { entries } = await peers.all();
  const other = [...entries.values()].find((entry) => entry.label === label && entry.peer_id !== peerId);
  if (other === undefined || label === '') return;
  throw new UsageError(
    `${other.peer_id} is called "${label}" already. Choose another label, or take it from that one: taskmesh grant ${other.peer_id} --label ''`,
  );
}

const lists = ['submit', 'work', 'tools', 'cache_read', 'cache_write'] as const;

function beforeText(known: PeerEntry | undefined, grant: Grant): string {
  if (known === undefined) return 'It was not listed before; what no flag names is as for every new peer.';
  if (known.revoked_at !== null) return 'It was shut out before.';
  const [was, is] = [grantWords(known.grant), grantWords(grant)];
  return was === is ? 'Nothing has changed.' : `Before, it might ${was}.`;
}
