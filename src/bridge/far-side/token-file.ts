/** The P2P service's token: made at the service's first start, readable by its owner only, asked for by loopback HTTP. */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { MeshError } from '../../mesh/errors.ts';

const tokenBytes = 32;

export function tokenFileOf(dataFolder: string): string {
  return join(dataFolder, 'p2p.token');
}

/** Reads the token, or makes one. Throws `data_corrupt` for a file that holds none. */
export async function ownToken(dataFolder: string): Promise<string> {
  const path = tokenFileOf(dataFolder);
  const draft = `${path}.${process.pid}.new`;
  if (!existsSync(path)) {
    // The node holds the folder, so that nobody else makes one meanwhile.
    await writeFile(draft, `${randomBytes(tokenBytes).toString('base64url')}\n`, { mode: 0o600 });
    await rename(draft, path);
  }
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
  const token = (await readFile(path, 'utf8')).trim();
  if (token.length >= 32) return token;
  throw new MeshError('data_corrupt', `${path} holds no token. Remove the file; the next start makes a new one.`);
}
