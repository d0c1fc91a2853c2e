/** Makes a mesh key as `taskmesh init` does. */

import { writeFile } from 'node:fs/promises';
import { generateKey } from '@libp2p/pnet';

/** Bytes of a key file. */
const fileBytes = 95;

export async function makeMeshKey(file: string): Promise<void> {
  const bytes = new Uint8Array(fileBytes);
  generateKey(bytes);
  await writeFile(file, bytes, { mode: 0o600, flag: 'wx' });
}
