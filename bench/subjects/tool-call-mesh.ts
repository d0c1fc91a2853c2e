/**
 * What stands behind the rungs of the suite `tool-call`: nothing at all, or the wire to a peer with nothing behind it. The same in the
 * server's loop, in a thread (`tool-call-thread.ts`) and in a process (`tool-call-process.ts`).
 */

import type { RunningMesh } from '../../src/mesh/mesh.ts';
import { type CarriageHost, type Encryption, openCarriageHost } from './carriage-host.ts';

/** Plain data: it crosses to threads and processes. */
export type MeshSpec = { kind: 'no_op' } | { kind: 'wire'; encryption: Encryption; peer: string };

/** What every operation answers here: what `submit` would. */
export const cannedOutput = {
  task_id: '019abcdef0123456789abcdef0123456@12D3KooWBmwkafWE2fqfzS96VoTZgpGp6aJsF4N1zCAaBd3QsKAq',
  status: 'queued',
  deduplicated: false,
};

/** The mesh of a spec; it answers every call with the canned output. */
export function meshOf(spec: MeshSpec): RunningMesh {
  let near: CarriageHost | undefined;
  const mesh: RunningMesh = {
    async start() {
      if (spec.kind === 'wire') near = await openCarriageHost({ encryption: spec.encryption, listen: false });
    },
    async stop() {
      await near?.close();
    },
    async call(_name, input) {
      if (spec.kind === 'wire') {
        const { remote_peer_id, remote_multiaddr, peer_id, ...rest } = input as Record<string, unknown>;
        await near?.request(spec.peer, 'tools/call', { name: 'bench', arguments: rest });
      }
      return cannedOutput as never;
    },
    subscribe: () => () => {},
    [Symbol.asyncDispose]: () => mesh.stop(),
  };
  return mesh;
}
