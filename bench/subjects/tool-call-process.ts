/** A process like the P2P service, with meshes of `tool-call-mesh.ts` in the node's place, each behind its own Unix socket. */

import { listenSocket } from '../../src/bridge/far-side/listen-socket.ts';
import type { RpcListener } from '../../src/bridge/far-side/rpc-listener.ts';
import { serveChannel } from '../../src/bridge/far-side/serve-channel.ts';
import { socketChannel } from '../../src/bridge/socket-channel.ts';
import { defaultLimits } from '../../src/mesh/limits.ts';
import type { RunningMesh } from '../../src/mesh/mesh.ts';
import { serveParent } from './own-child.ts';
import { type MeshSpec, meshOf } from './tool-call-mesh.ts';

export interface ToolCallProcessParams {
  meshes: { path: string; spec: MeshSpec }[];
}

await serveParent<ToolCallProcessParams>(async ({ meshes }) => {
  const open: { mesh: RunningMesh; listener: RpcListener }[] = [];
  // One after the other: each socket is made under a name of this process.
  for (const { path, spec } of meshes) {
    const mesh = meshOf(spec);
    await mesh.start();
    const listener = await listenSocket(path, {
      maxConnections: 4,
      serve: (socket) => void serveChannel(socketChannel(socket, { limits: defaultLimits }), { node: () => mesh }),
    });
    open.push({ mesh, listener });
  }
  return {
    ready: null,
    async close() {
      for (const { mesh, listener } of open) {
        listener.stopAccepting();
        await mesh.stop();
      }
    },
  };
});
