/** Compares the token that somebody brings with the service's own. Takes the same time whatever the guess is. */

import { timingSafeEqual } from 'node:crypto';
import { MeshError } from '../../mesh/errors.ts';

/** Throws `unauthorized`. */
export function checkSecret(given: unknown, secret: string): void {
  if (typeof given === 'string') {
    const [a, b] = [Buffer.from(given), Buffer.from(secret)];
    if (a.length === b.length && timingSafeEqual(a, b)) return;
  }
  throw new MeshError(
    'unauthorized',
    'The P2P service’s token is missing or wrong. Give the file that holds it, p2p.token in the service’s data folder: --p2p-token-file.',
  );
}
