/** The layout `per-call`: it alone has a real node behind it, because starting it is its cost. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { perCallMesh } from '../per-call-mesh.ts';
import type { HopWay } from './hop-way.ts';

export async function openPerCall(): Promise<HopWay> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'hop-'));
  const mesh = perCallMesh({ dataFolder, listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [], mdns: false });
  await mesh.start();
  return {
    ask: () => mesh.call('cache_has', { key: 'k', remote_peer_id: '', remote_multiaddr: '' }),
    async close() {
      await mesh.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
