/** What stands in the files of the trust folder: one thing a file, JSON, snake_case, epoch seconds. */

import { z } from 'zod';
import { grant } from '../mesh/grant.ts';
import { ticketIdPattern } from './ticket.ts';

const peerId = z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{30,80}$/);
const seconds = z.number().min(0);
const label = z.string().max(200);

/** A peer that was listed, or shut out: `peers/<peer id>.json`. */
export const peerEntry = z.object({
  peer_id: peerId,
  label,
  grant,
  added_at: seconds,
  /** Not null: the peer is shut out since then. */
  revoked_at: seconds.nullable(),
  /** Where the peer is to be looked for: multiaddrs that end in its peer id. */
  addresses: z.array(z.string().max(1000)).max(32),
  /** The ticket that it came by. */
  ticket: z.string().max(32).nullable(),
});
export type PeerEntry = z.infer<typeof peerEntry>;

/** A ticket that was given out and is good still: `tickets/<id>.json`. */
export const ticketEntry = z.object({
  id: z.string().regex(ticketIdPattern),
  /** SHA-256 of the secret, as hex: the secret itself is in the ticket alone. */
  secret_hash: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: seconds,
  expires_at: seconds,
  /** Good for one machine; the file is removed by the first. */
  once: z.boolean(),
  label,
  grant,
});
export type TicketEntry = z.infer<typeof ticketEntry>;

/** A ticket that this machine was given and has not redeemed: `joins/<id>.json`. */
export const joinEntry = z.object({
  id: z.string().regex(ticketIdPattern),
  secret: z.string().max(64),
  inviter: peerId,
  addresses: z.array(z.string().max(1000)).max(32),
  expires_at: seconds,
  /** Why the inviter said no; it is not asked again then. */
  refused: z.string().max(2000).nullable(),
});
export type JoinEntry = z.infer<typeof joinEntry>;

/** What an inviter signed about this node, to be shown to others: `memberships/<issuer>.json`. */
export const membershipEntry = z.object({
  issuer: peerId,
  /** Base64 of libp2p's signed envelope. */
  envelope: z.string().max(20_000),
  expires_at: seconds,
});
export type MembershipEntry = z.infer<typeof membershipEntry>;

/** What an issuer signed about a peer that it has shut out, kept where the issuer may introduce: `revocations/<issuer>.<peer>.json`. */
export const revocationEntry = z.object({
  issuer: peerId,
  peer_id: peerId,
  revoked_at: seconds,
  envelope: z.string().max(20_000),
});
export type RevocationEntry = z.infer<typeof revocationEntry>;
