/** `taskmesh init`: makes the mesh's shared key, which lets nodes on other machines connect and keeps strangers out. */

import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../mesh/errors.ts';
import { makeFolder } from '../mesh/own-files.ts';
import { newMeshSecret, writeMeshKey } from '../trust/mesh-key.ts';
import type { Command, CommandCall, Outcome } from './command.ts';

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
    if (!(await writeMeshKey(path, newMeshSecret(), flags.force === true))) {
      throw new MeshError(
        'wrong_state',
        `There is a mesh key already: ${path}. Copy that one to your other machines. To replace it, and shut out every node that has the old one: taskmesh init --force`,
      );
    }
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
