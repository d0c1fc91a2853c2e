/**
 * The other machine of the suite `tool-call`, as a process: nodes whose data is on disk and, where there is one, in memory; and hosts
 * that answer at once, with Noise and without it. On demand it works on tasks. Started by `tool-call.ts`.
 */

import { join } from 'node:path';
import process from 'node:process';
import { checked } from '../../src/mesh/checked.ts';
import type { Mesh } from '../../src/mesh/mesh.ts';
import { createNode } from '../../src/p2p/node.ts';
import { openCarriageHost } from './carriage-host.ts';
import { serveParent } from './own-child.ts';
import { cannedOutput } from './tool-call-mesh.ts';
import { workedType } from './tool-call-rung.ts';

export interface ToolCallPeerParams {
  folder: string;
  memoryFolder: string | undefined;
}

export interface ToolCallPeer {
  disk: string;
  memory: string | undefined;
  noise: string;
  none: string;
}

async function openNode(dataFolder: string): Promise<{ mesh: Mesh; address: string; stop(): Promise<void> }> {
  const node = createNode({
    dataFolder,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    mdns: false,
    layout: 'inline',
  });
  await node.start();
  const mesh = checked(node);
  const { addresses } = await mesh.call('status', {});
  return { mesh, address: addresses[0] ?? '', stop: () => node.stop() };
}

/** Claims from whoever is connected and completes at once; the result says when the task was there, in epoch milliseconds. */
async function work(mesh: Mesh, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { task } = await mesh.call('claim', { supported_task_types: [workedType], wait_s: 60 }, { signal });
      if (task === null) continue;
      const claimedAt = performance.timeOrigin + performance.now();
      await mesh.call('complete', { task_id: task.task_id, fence: task.fence, result: { claimed_at: claimedAt } });
    } catch (error) {
      if (!signal.aborted) process.stderr.write(`The worker: ${(error as Error).message}\n`);
    }
  }
}

await serveParent<ToolCallPeerParams>(async ({ folder, memoryFolder }) => {
  const handle = async () => ({ content: [], structuredContent: { ok: true, ...cannedOutput }, isError: false });
  const disk = await openNode(join(folder, 'peer'));
  const memory = memoryFolder === undefined ? undefined : await openNode(join(memoryFolder, 'peer'));
  const noise = await openCarriageHost({ encryption: 'noise', listen: true, handle });
  const none = await openCarriageHost({ encryption: 'none', listen: true, handle });
  const stopping = new AbortController();
  const working = work(disk.mesh, stopping.signal);
  return {
    ready: { disk: disk.address, memory: memory?.address, noise: noise.address, none: none.address },
    async close() {
      stopping.abort();
      await working;
      await Promise.all([disk.stop(), memory?.stop(), noise.close(), none.close()]);
    },
  };
});
