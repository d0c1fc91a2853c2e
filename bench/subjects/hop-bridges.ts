/** taskmesh's own layouts with a node behind them that does nothing. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inlineMesh } from '../../src/bridge/inline-mesh.ts';
import { serviceWay } from '../../src/bridge/service-way.ts';
import { SupervisedMesh } from '../../src/bridge/supervised-mesh.ts';
import { workerWay } from '../../src/bridge/worker-way.ts';
import type { HostedMesh } from '../../src/mesh/mesh.ts';
import { parseRpcAddress, type RpcAddress } from '../../src/mesh/rpc-address.ts';
import { noOpNode } from '../far-side/no-op-node.ts';
import { startProcess } from '../far-side/process-life.ts';
import type { HopWay } from './hop-way.ts';

const onDown = (cause: Error): never => {
  throw cause;
};

async function started(mesh: HostedMesh, close: () => Promise<unknown>): Promise<HopWay> {
  await mesh.start();
  return {
    ask: ({ input }) => mesh.call('cache_set', input as never),
    async close() {
      await mesh.stop();
      await close();
    },
  };
}

const nothing = async (): Promise<void> => {};

export const openInline = (): Promise<HopWay> => started(inlineMesh(noOpNode()), nothing);

export function openWorker(): Promise<HopWay> {
  const main = new URL('../far-side/no-op-main.ts', import.meta.url);
  return started(new SupervisedMesh(workerWay({ node: {}, logLevel: 'fatal', main }), { onDown }), nothing);
}

export async function openProcess(kind: 'unix' | 'http'): Promise<HopWay> {
  const folder = await mkdtemp(join(tmpdir(), 'hop-'));
  const token = randomBytes(16).toString('hex');
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, token, { mode: 0o600 });
  const wanted = kind === 'unix' ? `unix:${join(folder, 's')}` : 'http://127.0.0.1:0';
  const service = await startProcess(new URL('../far-side/no-op-service.ts', import.meta.url), [wanted, token]);
  const address = parseRpcAddress(service.ready) as RpcAddress;
  return started(new SupervisedMesh(serviceWay({ address, tokenFile }), { onDown }), async () => {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  });
}
