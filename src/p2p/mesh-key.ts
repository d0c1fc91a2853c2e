/** What the mesh's shared key makes of the mesh besides keeping strangers out: a name that only its nodes know. */

import { createHash } from 'node:crypto';

/** A name for the mesh that tells nothing about its key: 24 hex digits. Meshes without a key share one name. */
export function meshName(key: Uint8Array | undefined): string {
  return createHash('sha256')
    .update('taskmesh mesh name\n')
    .update(key ?? 'no key')
    .digest('hex')
    .slice(0, 24);
}
