/** The token that stands in the key's place towards Python nodes: read from its file, compared in constant time, never shown. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { MeshError } from '../../mesh/errors.ts';
import { readPrivateFile } from '../../trust/private-file.ts';

/** What guards a listener: shorter ones could be guessed. */
const leastGuardLength = 16;
const maxTokenLength = 4_096;

/**
 * `guards`: whether the token opens a listener of this node, or is only shown to others, who chose it.
 * Throws `invalid_config` when there is no such file, or no usable token in it.
 */
export async function readToken(file: string, { guards }: { guards: boolean }): Promise<string> {
  const bytes = await readPrivateFile(file);
  const token = bytes === undefined ? '' : Buffer.from(bytes).toString('utf8').trim();
  const least = guards ? leastGuardLength : 1;
  if (token.length >= least && token.length <= maxTokenLength && /^[\x21-\x7e]+$/.test(token)) return token;
  const what =
    bytes === undefined ? 'is not there' : `holds no token of ${least} to ${maxTokenLength} ASCII characters`;
  throw new MeshError(
    'invalid_config',
    `The token file for Python nodes, ${file}, ${what}. Make one with: openssl rand -hex 32 > ${file}`,
    { details: { setting: 'python-token-file', value: file } },
  );
}

/** Takes the same time wherever the texts differ, and whatever their lengths are. */
export function sameToken(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

export type TrustLevel = 'trusted' | 'baseline';

/**
 * What a Python node makes of a message: with a token of its own it trusts whoever shows it; without one it trusts whoever shows
 * any credential at all, checked by nobody. A taskmesh listener always has a token, so that only the first happens here.
 */
export function trustLevel(message: Readonly<Record<string, unknown>>, token: string | undefined): TrustLevel {
  const shows = (name: string): boolean => typeof message[name] === 'string' && message[name] !== '';
  if (token === undefined) return ['ucan_token', 'ucan', 'jwt'].some(shows) ? 'trusted' : 'baseline';
  const held = [message.token, message.ucan_token].some((each) => typeof each === 'string' && sameToken(each, token));
  return held ? 'trusted' : 'baseline';
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
