/**
 * The announce file: how a node on the same machine, or on a shared folder, is found. Written while the node listens.
 * `{"peer_id", "multiaddr", "multiaddrs"}`; the first two are what Python nodes write and read.
 */

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { z } from 'zod';
import { MeshError } from '../../mesh/errors.ts';

export interface Announcement {
  peer_id: string;
  /** The address to try first. */
  multiaddr: string;
  multiaddrs: string[];
}

const announcement = z.object({
  peer_id: z.string().max(200),
  multiaddr: z.string().max(1000),
  multiaddrs: z.array(z.string().max(1000)).max(100).optional(),
});

const maxFileBytes = 64 * 1024;

/** Writes the whole file or nothing: readers never see half of it. Throws `storage_failed`. */
export async function writeAnnouncement(file: string, announced: Announcement): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  try {
    await writeFile(draft, `${JSON.stringify(announced, undefined, 2)}\n`, { mode: 0o644 });
    await rename(draft, file);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new MeshError(
      'storage_failed',
      `The announce file ${file} cannot be written: ${(cause as Error).message}. Choose another one with --announce-file.`,
      { cause },
    );
  }
}

/** Reads another node's file. Throws `peer_not_found` when there is none, `invalid_json` when it is damaged. */
export async function readAnnouncement(file: string): Promise<Announcement> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new MeshError('peer_not_found', `There is no announce file ${file}: the node that writes it does not run.`, {
      cause,
    });
  }
  try {
    if (text.length > maxFileBytes) throw new Error(`it is ${text.length} bytes long`);
    const { peer_id, multiaddr, multiaddrs = [multiaddr] } = announcement.parse(JSON.parse(text));
    return { peer_id, multiaddr, multiaddrs };
  } catch (cause) {
    throw new MeshError(
      'invalid_json',
      `The announce file ${file} is damaged. Its node writes it anew when it starts.`,
      {
        cause,
      },
    );
  }
}

/** Removes the file if it still tells of this node: another node may have started with the same file. */
export async function removeAnnouncement(file: string, peerId: string): Promise<void> {
  const announced = await readAnnouncement(file).catch(() => undefined);
  if (announced?.peer_id === peerId) await rm(file, { force: true });
}

/** What a node announces, or undefined when nobody can dial it. First comes TCP, and what others on the network can reach. */
export function announcementOf(peerId: string, addresses: readonly string[]): Announcement | undefined {
  const rank = (address: string): number =>
    (/\/ws\b/.test(address) ? 2 : 0) + (/^\/(ip4\/127\.|ip6\/::1\/)/.test(address) ? 1 : 0);
  const multiaddrs = [...addresses].sort((a, b) => rank(a) - rank(b));
  const [multiaddr] = multiaddrs;
  return multiaddr === undefined ? undefined : { peer_id: peerId, multiaddr, multiaddrs };
}
