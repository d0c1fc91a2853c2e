/**
 * The announce file: how a node on the same machine, or on a shared folder, is found. Written while the node listens.
 *
 * `{"peer_id", "multiaddr", "multiaddrs", "record"}`; the first two are what Python nodes write and read. `record` is the node's
 * signed peer record in base64: where there is one, its addresses count and the others do not. A file without one is taken as
 * it is, because the operator named it, and whoever answers at its addresses has to prove the peer id all the same.
 */

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import process from 'node:process';
import type { Multiaddr } from '@multiformats/multiaddr';
import { z } from 'zod';
import { MeshError } from '../../mesh/errors.ts';
import { isLoopback, isRelayed } from '../reach/addresses.ts';
import { maxEnvelopeBytes, openRecord } from './signed-record.ts';

export interface Announcement {
  peer_id: string;
  /** The address to try first. */
  multiaddr: string;
  multiaddrs: string[];
  /** Envelope of the signed peer record, in base64. Python nodes write none. */
  record?: string;
}

const announcement = z.object({
  peer_id: z.string().max(200),
  multiaddr: z.string().max(1000),
  multiaddrs: z.array(z.string().max(1000)).max(100).optional(),
  record: z
    .base64()
    .max(2 * maxEnvelopeBytes)
    .optional(),
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
    const { code, message } = cause as NodeJS.ErrnoException;
    const remedy = code === 'ENOSPC' ? 'Make room on its disk' : 'Choose another one with --announce-file';
    throw new MeshError('storage_failed', `The announce file ${file} cannot be written: ${message}. ${remedy}.`, {
      cause,
    });
  }
}

/**
 * Reads another node's file. Throws `peer_not_found` when there is none, `invalid_json` when it is damaged,
 * `peer_protocol_error` when it holds a record that its peer has not signed.
 */
export async function readAnnouncement(file: string): Promise<Announcement> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new MeshError('peer_not_found', `There is no announce file ${file}: the node that writes it does not run.`, {
      cause,
    });
  }
  const { peer_id, multiaddr, multiaddrs = [multiaddr], record } = parse(file, text);
  if (record === undefined) return { peer_id, multiaddr, multiaddrs };
  const { peerId, addresses } = await openRecord(Buffer.from(record, 'base64'));
  if (peerId === peer_id) return { peer_id, multiaddr, multiaddrs: addresses.map(String), record };
  throw new MeshError(
    'peer_protocol_error',
    `The announce file ${file} tells of ${peer_id} with the signed record of ${peerId}. Look who wrote it.`,
  );
}

function parse(file: string, text: string): z.infer<typeof announcement> {
  try {
    if (text.length > maxFileBytes) throw new Error(`it is ${text.length} bytes long`);
    return announcement.parse(JSON.parse(text));
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

/** First TCP, then WebSockets, then what a relay carries; of each what others on the network can reach before loopback. */
export function inAnnouncedOrder(addresses: readonly Multiaddr[]): Multiaddr[] {
  const rank = (address: Multiaddr): number =>
    (isRelayed(address) ? 4 : 0) + (/\/wss?\b/.test(address.toString()) ? 2 : 0) + (isLoopback(address) ? 1 : 0);
  return [...addresses].sort((a, b) => rank(a) - rank(b));
}

/** What a node announces, the address to try first at the front; undefined when nobody can dial it. */
export function announcementOf(
  peerId: string,
  multiaddrs: readonly string[],
  record?: Uint8Array,
): Announcement | undefined {
  const [multiaddr] = multiaddrs;
  if (multiaddr === undefined) return undefined;
  const announced: Announcement = { peer_id: peerId, multiaddr, multiaddrs: [...multiaddrs] };
  if (record !== undefined) announced.record = Buffer.from(record).toString('base64');
  return announced;
}
