/** `taskmesh init`: makes the mesh's shared key, which lets nodes on other machines connect and keeps strangers out. */

import { MeshError } from '../mesh/errors.ts';
import { newMeshSecret } from '../trust/mesh-key.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { meshKeyPath, putMeshSecret } from './mesh-key-file.ts';

export const init: Command = {
  name: 'init',
  group: 'Nodes',
  summary: 'Make the mesh’s shared key, so that your machines can connect and others cannot.',
  description:
    'Makes <data>/mesh.key, readable by you alone. Every machine of the mesh has the same key: make it once; "taskmesh invite" makes tickets that carry it. ' +
    'A node that has a key connects only to nodes with the same one, and serves those of them that are on its list.',
  positionals: [],
  flags: {
    force: { kind: 'switch', summary: 'Replace the key that is there: the other machines need the new one then.' },
  },
  needs: 'none',
  examples: ['init', 'init --data /srv/taskmesh', 'init --force'],
  run: makeKey,
};

async function makeKey({ settings, flags }: CommandCall): Promise<Outcome> {
  const path = meshKeyPath(settings);
  if (!(await putMeshSecret(settings, newMeshSecret(), flags.force === true))) {
    throw new MeshError(
      'wrong_state',
      `There is a mesh key already: ${path}. Your other machines get it with a ticket: taskmesh invite. To replace it, and shut out every node that has the old one: taskmesh init --force`,
    );
  }
  return { answer: { ok: true, mesh_key: path }, text: nextSteps(path), exitCode: 0 };
}

function nextSteps(path: string): string {
  return [
    `Made a new mesh key: ${path}`,
    'Whoever has this file can knock at your nodes; it is served when you have let it in. Next:',
    '',
    '  1. On this machine, listen beyond loopback:',
    '       taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001',
    '  2. Make a ticket for another machine. It carries the key:',
    '       taskmesh invite',
    '  3. There:',
    '       taskmesh join          (and paste the ticket)',
    '       taskmesh serve --p2p-listen /ip4/0.0.0.0/tcp/4001',
    '',
    'Without tickets: copy the file to <data>/mesh.key of each machine, over a way that only you can read, and either list the',
    'peers on each (taskmesh grant PEER) or serve whoever has the key (serve --admit mesh-key).',
  ].join('\n');
}
