/** `taskmesh init`: makes the mesh's shared key, which lets nodes on other machines connect and keeps strangers out. */

import { randomUUID } from 'node:crypto';
import { chmod, link, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../mesh/errors.ts';
import { makeFolder } from '../mesh/own-files.ts';
import type { Command, CommandCall, Outcome } from './command.ts';

/** `/key/swarm/psk/1.0.0/`, `/base16/` and 64 hex digits: https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md */
const keyFileBytes = 95;

export const init: Command = {
  name: 'init',
  group: 'Nodes',
  summary: 'Make the mesh’s shared key, so that your machines can connect and others cannot.',
  description:
    'Makes <data>/mesh.key, readable by you alone. Every machine of the mesh needs the same key: make it once and copy it. ' +
    'A node that has a key connects only to nodes with the same one.',
  positionals: [],
  flags: {
    force: { kind: 'switch', summary: 'Replace the key that is there: the other machines need the new one then.' },
  },
  needs: 'none',
  examples: ['init', 'init --data /srv/taskmesh', 'init --force'],
  run: makeKey,
};

async function makeKey({ settings, flags }: CommandCall): Promise<Outcome> {
  const path = settings.meshKey ?? join(settings.data, 'mesh.key');
  const folder = dirname(path);
  try {
    makeFolder(folder);
    if (folder === settings.data) await chmod(folder, 0o700);
    await write(path, await newKey(), flags.force === true);
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError(
      'storage_failed',
      `The mesh key cannot be written: ${why}. Choose another folder with --data.`,
      {
        cause,
      },
    );
  }
  return { answer: { ok: true, mesh_key: path }, text: nextSteps(path), exitCode: 0 };
}

async function newKey(): Promise<Uint8Array> {
  const { generateKey } = await import('@libp2p/pnet');
  const key = new Uint8Array(keyFileBytes);
  generateKey(key);
  return key;
}

/** Whole or not at all: the file appears under its name with all its bytes, and is never open to others. */
async function write(path: string, key: Uint8Array, replace: boolean): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, key, { mode: 0o600, flag: 'wx' });
    if (replace) await rename(temporary, path);
    else await link(temporary, path);
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== 'EEXIST') throw thrown;
    throw new MeshError(
      'wrong_state',
      `There is a mesh key already: ${path}. Copy that one to your other machines. To replace it, and shut out every node that has the old one: taskmesh init --force`,
    );
  } finally {
    await rm(temporary, { force: true });
  }
}

function nextSteps(path: string): string {
  return [
    `Made a new mesh key: ${path}`,
    'Whoever has this file can join your mesh. Next:',
    '',
    '  1. Copy it to each of your other machines, over a way that only you can read, for example',
    `       ssh other-machine 'mkdir -p -m 700 .taskmesh' && scp -p ${path} other-machine:.taskmesh/mesh.key`,
    '  2. On each machine, listen beyond loopback:',
    '       taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001',
    '  3. On the same local network the nodes find each other. Elsewhere name one of them:',
    '       taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001 --bootstrap /ip4/<its address>/tcp/4001/p2p/<its peer id>',
  ].join('\n');
}
