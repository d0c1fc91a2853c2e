/** Makes hosts one mesh before their services start: the same mesh key in each data folder. */

import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeMeshKey } from '../support/mesh-key.ts';
import { dataOf } from './hosts.ts';
import type { Host } from './lab.ts';

export async function shareMeshKey(folder: string, hosts: readonly Host[]): Promise<void> {
  const key = join(folder, 'shared.key');
  await makeMeshKey(key);
  for (const host of hosts) {
    await mkdir(dataOf(host, folder), { mode: 0o700, recursive: true });
    await copyFile(key, join(dataOf(host, folder), 'mesh.key'));
    // Whoever has the key is served: these tests are about reaching each other.
    await writeFile(join(dataOf(host, folder), 'config.json'), JSON.stringify({ admit: 'mesh-key' }));
  }
}
