/** `taskmesh trust`: whom this node trusts, with what, and which tickets are good. */

import { TrustFolder } from '../trust/trust-folder.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { grantWords } from './grant-flags.ts';
import { printable } from './style.ts';
import { duration, table } from './table.ts';

export const trustCommand: Command = {
  name: 'trust',
  group: 'Trust',
  summary: 'List the peers that this node knows, what they may do, and the tickets that are good.',
  description: 'Reads the trust folder; the node need not run. No secrets are shown.',
  positionals: [],
  flags: {},
  needs: 'none',
  examples: ['trust', 'trust --json', 'trust --data /srv/taskmesh'],
  run: show,
};

async function show({ settings, clock, style }: CommandCall): Promise<Outcome> {
  const trust = new TrustFolder(settings.data);
  const nowS = clock.nowMs() / 1000;
  const peers = [...(await trust.peers.all()).entries.values()];
  const tickets = [...(await trust.tickets.all()).entries.values()].map(({ secret_hash, ...shown }) => shown);
  const joins = [...(await trust.joins.all()).entries.values()].map(({ secret, ...shown }) => shown);
  const sections = [
    ...(peers.length === 0
      ? ['No peer is listed.']
      : [
          table(
            ['PEER', 'LABEL', 'MAY'],
            peers.map(({ peer_id, label, grant, revoked_at }) => [
              peer_id,
              printable(label) || '-',
              revoked_at === null ? printable(grantWords(grant)) : style.error('shut out'),
            ]),
          ),
        ]),
    ...(tickets.length === 0
      ? []
      : [
          table(
            ['TICKET', 'LABEL', 'FOR', 'GOOD FOR', 'ITS BEARER MAY'],
            tickets.map(({ id, label, once, expires_at, grant }) => [
              id,
              printable(label) || '-',
              once ? 'one machine' : 'many machines',
              expires_at > nowS ? duration(expires_at - nowS) : 'expired',
              printable(grantWords(grant)),
            ]),
          ),
        ]),
    ...joins.map(({ inviter, refused }) =>
      refused === null
        ? `A ticket of ${inviter} waits to be shown to it; the running node does that.`
        : `A ticket of ${inviter} was refused: ${printable(refused)}`,
    ),
  ];
  return { answer: { ok: true, peers, tickets, joins }, text: sections.join('\n\n'), exitCode: 0 };
}
