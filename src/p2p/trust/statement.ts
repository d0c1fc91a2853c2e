/**
 * What one node signs about another: that it invited it (a membership), or that it shut it out (a revocation). Signed envelopes of
 * libp2p around a little JSON, so that a third node can check who said it, whoever hands it over.
 * Source: https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
 */

import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { RecordEnvelope } from '@libp2p/peer-record';
import { z } from 'zod';
import { MeshError } from '../../mesh/errors.ts';
import { grant } from '../../mesh/grant.ts';

/** A signed statement as text; longer ones are refused. */
export const maxEnvelopeText = 20_000;

const about = { version: z.literal(1), issuer: z.string().max(200), peer_id: z.string().max(200) };

const membership = z.object({ ...about, grant, issued_at: z.number(), expires_at: z.number() });
export type Membership = z.infer<typeof membership>;

const revocation = z.object({ ...about, revoked_at: z.number() });
export type Revocation = z.infer<typeof revocation>;

interface Kind<Statement> {
  readonly domain: string;
  readonly schema: z.ZodType<Statement>;
}

export const memberships: Kind<Membership> = { domain: 'taskmesh-membership-1', schema: membership };
export const revocations: Kind<Revocation> = { domain: 'taskmesh-revocation-1', schema: revocation };

/** The signed statement as base64. */
export async function seal<Statement>(
  kind: Kind<Statement>,
  statement: Statement,
  privateKey: PrivateKey,
): Promise<string> {
  const { domain } = kind;
  const payload = new TextEncoder().encode(JSON.stringify(statement));
  const record = { domain, codec: new TextEncoder().encode(`/${domain}`), marshal: () => payload, equals: () => false };
  return Buffer.from((await RecordEnvelope.seal(record, privateKey)).marshal()).toString('base64');
}

/** Throws `peer_protocol_error` unless the issuer that the statement names has signed it. */
export async function openStatement<Statement extends { issuer: string }>(
  kind: Kind<Statement>,
  envelope: string,
): Promise<Statement> {
  try {
    if (envelope.length > maxEnvelopeText) throw new Error('it is too long');
    const bytes = Buffer.from(envelope, 'base64');
    const { payload, publicKey } = await RecordEnvelope.openAndCertify(bytes, kind.domain);
    const statement = kind.schema.parse(JSON.parse(new TextDecoder().decode(payload)));
    if (peerIdFromPublicKey(publicKey).toString() !== statement.issuer) throw new Error('another peer signed it');
    return statement;
  } catch (cause) {
    const why = (cause as Error).message.split('\n')[0];
    throw new MeshError('peer_protocol_error', `A signed statement about a peer is not good: ${why}.`, { cause });
  }
}
