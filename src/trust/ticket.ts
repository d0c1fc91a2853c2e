/**
 * A ticket: what a machine needs to become part of the mesh, as one word that can be pasted or shown as a QR code. Made by
 * `taskmesh invite`, read by `taskmesh join`. Whoever has it has the mesh's key: treat it as you treat an SSH key.
 *
 * What its bearer may do stands with the inviter, not here: nobody can write more rights into it. The last bytes are a checksum,
 * so that a ticket that was cut or mistyped is told from one that was refused.
 */

import { createHash, randomBytes } from 'node:crypto';
import { MeshError } from '../mesh/errors.ts';

export interface Ticket {
  /** Names the ticket at the inviter; no secret. */
  readonly id: string;
  /** Proves to the inviter that the bearer has the ticket: 16 bytes. */
  readonly secret: Uint8Array;
  /** The mesh's key: 32 bytes. */
  readonly meshSecret: Uint8Array;
  /** Peer id of the inviter. */
  readonly inviter: string;
  /** Where the inviter can be reached: multiaddrs without its peer id, the best first. */
  readonly addresses: readonly string[];
  /** Epoch seconds. */
  readonly expiresAt: number;
}

const prefix = 'taskmesh1-';
const idBytes = 8;
const secretBytes = 16;
const meshSecretBytes = 32;
const checksumBytes = 4;

/** More would make the code too large to be scanned. */
export const maxTicketAddresses = 6;

/** Longer texts are no tickets. */
const maxTicketText = 8_192;

export const ticketIdPattern = /^[0-9a-f]{16}$/;

export function newTicketId(): string {
  return randomBytes(idBytes).toString('hex');
}

export function newTicketSecret(): Uint8Array {
  return randomBytes(secretBytes);
}

/** What the inviter keeps of the secret. */
export function hashOfSecret(secret: Uint8Array): string {
  return createHash('sha256').update('taskmesh ticket\n').update(secret).digest('hex');
}

export function writeTicket(ticket: Ticket): string {
  const addresses = ticket.addresses.slice(0, maxTicketAddresses);
  const body = Buffer.concat([
    u32(ticket.expiresAt),
    Buffer.from(ticket.id, 'hex'),
    ticket.secret,
    ticket.meshSecret,
    text(ticket.inviter),
    Uint8Array.of(addresses.length),
    ...addresses.map(text),
  ]);
  return prefix + Buffer.concat([body, checksum(body)]).toString('base64url');
}

/** Throws `invalid_params` for what is no ticket, or not a whole one. */
export function readTicket(written: string): Ticket {
  // Mail and chat break long lines, and indent them.
  const word = written.replaceAll(/\s+/g, '');
  if (!word.startsWith(prefix) || word.length > maxTicketText) {
    throw damaged(`it does not begin with "${prefix}"`);
  }
  const all = Buffer.from(word.slice(prefix.length), 'base64url');
  if (prefix + all.toString('base64url') !== word) throw damaged('there is more than a ticket, or less');
  const body = all.subarray(0, Math.max(0, all.length - checksumBytes));
  if (!checksum(body).equals(all.subarray(body.length))) throw damaged('a part of it is missing or mistyped');
  try {
    return readBody(body);
  } catch (cause) {
    throw damaged('it was made by another version', cause);
  }
}

function readBody(body: Buffer): Ticket {
  let at = 0;
  const take = (bytes: number): Buffer => {
    if (at + bytes > body.length) throw new RangeError('too short');
    at += bytes;
    return body.subarray(at - bytes, at);
  };
  const takeText = (): string => take(take(2).readUInt16BE()).toString('utf8');
  const ticket = {
    expiresAt: take(4).readUInt32BE(),
    id: take(idBytes).toString('hex'),
    secret: Uint8Array.from(take(secretBytes)),
    meshSecret: Uint8Array.from(take(meshSecretBytes)),
    inviter: takeText(),
    addresses: Array.from({ length: take(1)[0] ?? 0 }, takeText),
  };
  if (at !== body.length || ticket.addresses.length > maxTicketAddresses) throw new RangeError('too long');
  return ticket;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update('taskmesh ticket text\n').update(body).digest().subarray(0, checksumBytes);
}

function damaged(why: string, cause?: unknown): MeshError {
  return new MeshError(
    'invalid_params',
    `This is not a whole ticket: ${why}. Copy it again, all of it, from the machine where "taskmesh invite" ran.`,
    { cause },
  );
}
