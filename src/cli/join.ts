/** `taskmesh join`: makes this machine part of the mesh that a ticket is for. */

import { watch } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { MeshError } from '../mesh/errors.ts';
import { defaultGrant } from '../mesh/grant.ts';
import type { JoinEntry } from '../trust/entries.ts';
import { ownPeerId } from '../trust/identity.ts';
import type { Ticket } from '../trust/ticket.ts';
import { TrustFolder } from '../trust/trust-folder.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { grantFlags, readGrant } from './grant-flags.ts';
import { meshKeyPath, meshSecret, putMeshSecret } from './mesh-key-file.ts';
import { ticketOf } from './ticket-argument.ts';

/** What makes a node that others can reach. */
const serve = 'taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001';

/** How long the inviter may take to be reached and to answer, in milliseconds. */
const patienceMs = 20_000;

export const joinCommand: Command = {
  name: 'join',
  group: 'Trust',
  summary: 'Become part of the mesh that a ticket is for.',
  description:
    'Takes the mesh’s key from the ticket, lists the inviter (and whom it will invite) at this node, and shows the ticket to it: by the running node, or, when none runs, by one that this command starts for a moment. Give the ticket by standard input: as an argument, other users of this machine could read it in the list of processes, and the shell keeps it in its history. The flags say what the inviter may do here.',
  positionals: [
    {
      name: 'ticket',
      label: 'TICKET',
      required: false,
      summary:
        'What "taskmesh invite" printed on the other machine. - or nothing: it is read from standard input, where it can be pasted.',
    },
  ],
  flags: {
    force: { kind: 'switch', summary: 'Leave the mesh that this machine is in: its key is replaced.' },
    ...grantFlags,
  },
  needs: 'none',
  examples: ['join', 'join - < ticket.txt', 'join - --may submit,work,see'],
  run: join,
};

async function join(call: CommandCall): Promise<Outcome> {
  const { settings, clock } = call;
  const ticket = await ticketOf(call);
  const grant = readGrant(call, { ...defaultGrant, introduce: true });
  if (ticket.expiresAt * 1000 <= clock.nowMs()) {
    throw new MeshError(
      'wrong_state',
      `This ticket expired at ${new Date(ticket.expiresAt * 1000).toISOString()}. Run "taskmesh invite" on the other machine for a new one.`,
    );
  }
  const fresh = await takeKey(call, ticket);
  if ((await ownPeerId(joinPath(settings.data, 'node.key'))) === ticket.inviter)
    throw new MeshError('wrong_state', 'This ticket is this machine’s own. Run "taskmesh join" on the other one.');
  const trust = new TrustFolder(settings.data);
  const before = await trust.peers.get(ticket.inviter);
  const entry = await keep(trust, ticket, grant, clock.nowMs() / 1000);
  const refused = await redeem(call, trust, entry, fresh);
  if (typeof refused !== 'string') return refused;
  // Whoever did not take this machine in is trusted with nothing for it.
  await trust.joins.take(entry.id);
  if (before === undefined) await trust.peers.take(ticket.inviter);
  else await trust.peers.put(before);
  if (fresh && call.flags.force !== true) await rm(meshKeyPath(settings), { force: true });
  throw new MeshError('unauthorized', `${refused} Nothing of the ticket was kept.`);
}

/** True when this machine has a key now that it had not. */
async function takeKey({ settings, flags }: CommandCall, ticket: Ticket): Promise<boolean> {
  const there = await meshSecret(settings);
  if (there !== undefined && Buffer.from(there).equals(ticket.meshSecret)) return false;
  if (there !== undefined && flags.force !== true) {
    throw new MeshError(
      'wrong_state',
      `This machine is in another mesh: ${meshKeyPath(settings)} holds another key. Use another folder (--data), or leave that mesh with --force; machines of that one cannot reach this one any more then.`,
    );
  }
  await putMeshSecret(settings, ticket.meshSecret, true);
  return true;
}

/** The ticket waits in the trust folder until a node has shown it; the inviter is listed with its addresses. */
async function keep(trust: TrustFolder, ticket: Ticket, grant: typeof defaultGrant, nowS: number): Promise<JoinEntry> {
  const { id, inviter, expiresAt } = ticket;
  const addresses = ticket.addresses.map((address) => `${address}/p2p/${inviter}`);
  const known = await trust.peers.get(inviter);
  const secret = Buffer.from(ticket.secret).toString('base64url');
  const entry: JoinEntry = { id, secret, inviter, addresses, expires_at: expiresAt, refused: null };
  trust.make();
  await trust.joins.put(entry);
  await trust.peers.put({
    peer_id: inviter,
    label: known?.label ?? '',
    grant,
    added_at: known?.added_at ?? nowS,
    revoked_at: null,
    addresses,
    ticket: known?.ticket ?? null,
  });
  return entry;
}

/** The node that shows the ticket does nothing else: it listens nowhere and looks for nobody. */
const forTheMoment = {
  p2pListen: [] as string[],
  bootstrap: [] as string[],
  mdns: false,
  // What it has to say is said by this command.
  logLevel: 'fatal',
  layout: 'inline',
  p2pService: undefined,
} as const;

/** Has a node show the ticket: the one that runs, or one for a moment. A text: the inviter refused it, and why. */
async function redeem(
  call: CommandCall,
  trust: TrustFolder,
  entry: JoinEntry,
  fresh: boolean,
): Promise<Outcome | string> {
  const { settings, context } = call;
  let running = false;
  let refused: string | undefined | null;
  try {
    await using _node = await context.joinMesh({ ...settings, ...forTheMoment, meshKey: meshKeyPath(settings) });
    refused = await outcomeOf(call, trust, entry.id);
  } catch (thrown) {
    if (!(thrown instanceof MeshError) || thrown.code !== 'data_folder_locked') throw thrown;
    running = true;
    // A node that began without the key cannot reach the inviter before it begins anew.
    refused = fresh ? undefined : await outcomeOf(call, trust, entry.id);
  }
  if (typeof refused === 'string') return refused;
  const joined = refused === null;
  const answer = {
    ok: true,
    joined,
    inviter: entry.inviter,
    mesh_key_new: fresh,
    restart_needed: running && fresh,
  } as const;
  const next = running
    ? fresh
      ? 'The running node does not have the mesh’s key yet: restart it, and it shows the ticket.'
      : 'The running node shows the ticket as soon as it reaches the inviter.'
    : `Start the node, and it shows the ticket as soon as it reaches the inviter: ${serve}`;
  if (!joined)
    return {
      answer,
      text: `The ticket is kept, and was not shown yet${fresh && running ? '' : `: ${entry.inviter} was not reached`}.`,
      exitCode: fresh && running ? 0 : 1,
      hint: next,
    };
  return {
    answer,
    text: `Joined the mesh of ${entry.inviter}.`,
    exitCode: 0,
    hint: running ? 'The running node is part of it.' : `Start the node: ${serve}`,
  };
}

/** Null: it went well. A text: why not. Undefined: nothing was heard in time. */
function outcomeOf(call: CommandCall, { joins }: TrustFolder, id: string): Promise<string | null | undefined> {
  return new Promise((resolve, reject) => {
    const end = (outcome: string | null | undefined): void => {
      watcher.close();
      cancelTimer();
      resolve(outcome);
    };
    const look = (): void => {
      joins.get(id).then(
        (entry) => {
          if (entry === undefined) end(null);
          else if (entry.refused !== null) end(entry.refused);
        },
        (error) => {
          reject(error);
          end(undefined);
        },
      );
    };
    const watcher = watch(joins.path, look);
    const cancelTimer = call.clock.setTimer(patienceMs, () => end(undefined), { keepAlive: true });
    call.signal.addEventListener('abort', () => end(undefined), { once: true });
    look();
  });
}
