/** `taskmesh invite`: a ticket for another machine, as a word and as a QR code. Makes the mesh's key if there is none. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../mesh/errors.ts';
import { defaultGrant } from '../mesh/grant.ts';
import {
  hashOfSecret,
  maxTicketAddresses,
  newTicketId,
  newTicketSecret,
  type Ticket,
  writeTicket,
} from '../trust/ticket.ts';
import { TrustFolder } from '../trust/trust-folder.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { grantFlags, grantWords, readGrant } from './grant-flags.ts';
import { ensureMeshSecret, meshKeyPath } from './mesh-key-file.ts';
import { isLocal, ownAddresses } from './own-addresses.ts';
import { duration } from './table.ts';
import { UsageError } from './usage-error.ts';

const unitS: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

const longestS = 365 * 86_400;

export const invite: Command = {
  name: 'invite',
  group: 'Trust',
  summary: 'Make a ticket with which another machine joins this one’s mesh.',
  description:
    'Prints a ticket, and on a terminal with room for it its QR code. It carries the mesh’s key and the addresses of this node; whoever has it can join until it expires, so send it over a way that only you can read. On the other machine run "taskmesh join" and paste the ticket there; as an argument it would stand in the list of processes and in the shell’s history. What its bearer may do is said here and kept here.',
  positionals: [],
  flags: {
    expires: {
      kind: 'text',
      placeholder: 'TIME',
      summary: 'How long it is good: 90s, 30m, 1h, 7d.',
      defaultText: '1h',
    },
    once: { kind: 'switch', summary: 'Good for one machine; --no-once or --many: for many.', defaultText: 'on' },
    many: { kind: 'switch', summary: 'Good for many machines, until it expires.' },
    label: { kind: 'text', placeholder: 'NAME', summary: 'What people call whoever joins with it.' },
    address: {
      kind: 'list',
      placeholder: 'MULTIADDR',
      summary: 'Where this node is reached, when it cannot know: behind a router, by a name.',
    },
    local: { kind: 'switch', summary: 'For another node on this same machine: loopback addresses will do.' },
    qr: {
      kind: 'switch',
      summary: 'Show the QR code, or --no-qr not.',
      defaultText: 'on a terminal that it fits into',
    },
    ...grantFlags,
  },
  needs: 'none',
  examples: [
    'invite',
    'invite --expires 7d --many --may submit,see:own,cancel:own',
    'invite --label laptop --tool word_count',
    'invite --address /dns4/home.example/tcp/4001',
    'invite --local --json',
  ],
  run: makeTicket,
};

async function makeTicket(call: CommandCall): Promise<Outcome> {
  const { settings, flags, clock } = call;
  const grant = readGrant(call, defaultGrant);
  const lifeS = readLife(flags.expires);
  const once = flags.many !== true && flags.once !== false;
  const { secret: meshSecret, made } = await ensureMeshSecret(settings);
  const { addresses, peerId } = await reachable(call, made);
  const nowS = Math.floor(clock.nowMs() / 1000);
  const secret = newTicketSecret();
  const ticket: Ticket = {
    id: newTicketId(),
    secret,
    meshSecret,
    inviter: peerId ?? (await (await import('../trust/identity.ts')).ownPeerId(join(settings.data, 'node.key'))),
    addresses: addresses.slice(0, maxTicketAddresses),
    expiresAt: nowS + lifeS,
  };
  const trust = new TrustFolder(settings.data);
  trust.make();
  await trust.tickets.put({
    id: ticket.id,
    secret_hash: hashOfSecret(secret),
    created_at: nowS,
    expires_at: ticket.expiresAt,
    once,
    label: typeof flags.label === 'string' ? flags.label : '',
    grant,
  });
  const word = writeTicket(ticket);
  const whom = once ? 'One machine' : 'Machines';
  const restart = peerId !== undefined && (made || (await isNewer(meshKeyPath(settings), settings.announceFile)));
  const text = [
    `${whom} that can read this ticket within ${duration(lifeS)} may join, and then: ${grantWords(grant)}.`,
    'On the other machine run "taskmesh join", and paste the ticket there:',
    `  ${word}`,
    ...(await code(call, word)),
  ].join('\n\n');
  const said = { ticket: word, id: ticket.id, inviter: ticket.inviter, addresses: ticket.addresses };
  return {
    answer: {
      ok: true,
      ...said,
      expires_at: ticket.expiresAt,
      once,
      grant,
      mesh_key_made: made,
      restart_needed: restart,
    },
    text,
    exitCode: 0,
    hint: [
      ...(restart ? ['The mesh’s key is newer than the running node: restart that, so that it uses the key.'] : []),
      ...(peerId === undefined ? [`The node does not run. Start it: ${serveLine(call)}`] : []),
      `Withdraw it: taskmesh revoke ${ticket.id}`,
    ].join('\n'),
  };
}

/** Throws `wrong_state` with what to set when nobody else could reach the node. */
async function reachable(
  { settings, flags }: CommandCall,
  made: boolean,
): Promise<{ addresses: readonly string[]; peerId: string | undefined }> {
  const { addresses, peerId } = await ownAddresses(settings);
  if (Array.isArray(flags.address)) return { addresses: flags.address.map(readAddress), peerId };
  const wanted = flags.local === true ? addresses : addresses.filter((address) => !isLocal(address));
  if (wanted.length > 0) return { addresses: wanted, peerId };
  const key = made ? 'The mesh’s key was made just now. ' : '';
  const ways =
    'Start it with: taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001 (or set "p2p-listen" in the config file), then run this again. ' +
    'Where it is reached by another address (a router, a name), say so: --address /dns4/home.example/tcp/4001. For another node on this machine: --local.';
  throw new MeshError(
    'wrong_state',
    `${key}${peerId === undefined ? 'The node does not run, and no address with a fixed port is set that others could reach.' : 'The node listens on loopback only: no other machine can reach it.'} ${ways}`,
    { details: { mesh_key_made: made } },
  );
}

function readAddress(text: string): string {
  if (/^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+(\/wss?)?$/.test(text)) return text;
  throw new UsageError(
    `--address ${text} is no address such as /ip4/192.0.2.7/tcp/4001 or /dns4/home.example/tcp/4001.`,
  );
}

function readLife(text: unknown): number {
  if (text === undefined) return 3600;
  const [, number, unit = 's'] = /^(\d+)\s*(s|m|min|h|d)?$/.exec(String(text)) ?? [];
  const seconds = Number(number) * (unitS[unit] ?? Number.NaN);
  if (seconds >= 1 && seconds <= longestS) return seconds;
  throw new UsageError(`--expires ${text} is no time from 1s to 365d. Write 90s, 30m, 1h or 7d.`);
}

/** Lines below the QR code: hints, and the shell's prompt. */
const linesBelow = 4;

/** The QR code, where there is a terminal that it fits into: half of one is of no use to a camera. */
async function code({ context: { stdout }, flags }: CommandCall, word: string): Promise<string[]> {
  if (flags.qr === false || (stdout.isTTY !== true && flags.qr !== true)) return [];
  const { renderUnicodeCompact } = await import('uqr');
  const drawn = renderUnicodeCompact(word, { border: 2 });
  const [wide, high] = [drawn.indexOf('\n'), drawn.split('\n').length + linesBelow];
  const { columns = 80, rows = 24 } = stdout;
  if (flags.qr === true || (columns >= wide && rows >= high)) return [drawn];
  return [
    `The QR code is left out: it needs a terminal of ${wide} columns and ${high} rows, and this one has ${columns} and ${rows}. Enlarge it and make another ticket, or draw it all the same with --qr.`,
  ];
}

/** A node that began before the key was made does not have it. */
async function isNewer(file: string, than: string): Promise<boolean> {
  try {
    return (await stat(file)).mtimeMs > (await stat(than)).mtimeMs;
  } catch {
    return false;
  }
}

function serveLine({ settings }: CommandCall): string {
  return ['taskmesh serve', ...settings.p2pListen.map((address) => `--p2p-listen ${address}`)].join(' ');
}
