/**
 * Subject of the suite `bought`: the driver. It starts the service as users do and a peer that loads it, and sends HTTP requests beside
 * that, in an open loop: half of them for the server alone (`server/discover`), half for the P2P node (`cache_has`).
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import type { Layout } from '../../src/mesh/node-options.ts';
import { startService } from '../../test/support/service.ts';
import { openLoop } from '../loops.ts';
import { pin, pinned } from '../runner/pinning.ts';
import { serveCells } from '../serve-cells.ts';
import type { RuntimeName } from '../suite.ts';
import type { BoughtPeerParams, PeerAnswer, PeerLoad, PeerQuestion } from './bought-peer.ts';
import { meanDelayMs, readLoopDelay } from './loop-delay.ts';
import { askFor, askForTool, McpClient } from './mcp-client.ts';
import { startChild } from './own-child.ts';

export interface BoughtParams {
  runtime: RuntimeName;
  layout: Layout;
  folder: string;
}

export type BoughtTask =
  /** HTTP is measured while the peer loads the service; `amount` a second, 0: nothing. */
  | { load: PeerLoad; amount: number }
  /** The peer's calls are measured while so many HTTP requests a second come in. */
  | { load: 'http'; amount: number };

/** HTTP requests a second that are measured, and calls a second of the peer that are. */
const perSecond = 600;
/** Beyond this share of failures there is nothing to say about the others. */
const maxFailed = 0.2;

await serveCells<BoughtParams, BoughtTask>(async ({ runtime, layout, folder: given }) => {
  // The driver; the peer inherits its place.
  pin('driver', process.pid);
  const folder = await mkdtemp(join(given, 'b'));
  const flags = ['--no-mdns', '--log-level', 'error'];
  const service = await startService({
    runtime,
    layout,
    data: join(folder, 'service'),
    flags,
    inFront: pinned('subject', []),
  });
  const address = service.addresses.find((multiaddr) => !multiaddr.includes('/ws/')) ?? '';
  const params: BoughtPeerParams = { dataFolder: join(folder, 'peer'), address };
  const peer = await startChild<null>('node', new URL('./bought-peer.ts', import.meta.url), params);
  const client = new McpClient();
  const ask = (question: PeerQuestion): Promise<PeerAnswer> => peer.ask<PeerAnswer>(question);

  const off = askFor('server/discover', {});
  const on = askForTool('p2p_taskqueue_cache_has', { key: 'nothing' });

  /** Sends the two kinds of requests in turns; answers milliseconds of each. */
  async function http(amount: number, ms: number) {
    const times = { off: [] as number[], on: [] as number[] };
    let sent = 0;
    const from = performance.now();
    const { late, failed } = await openLoop(
      async () => {
        const index = sent++;
        const intended = from + (index * 1000) / amount;
        await client.send(service.url, index % 2 === 0 ? off : on);
        times[index % 2 === 0 ? 'off' : 'on'].push(performance.now() - intended);
      },
      { perSecond: amount, ms },
    );
    // The service ends connections that are idle while another cell is measured; a request must not meet that.
    client.close();
    return { ...times, late: late.map((us) => us / 1000), failed, sent };
  }

  const checkFailures = (failed: number, all: number, what: string): void => {
    if (failed > all * maxFailed) throw new Error(`${failed} of ${all} ${what} failed.`);
  };

  return {
    async measure({ load, amount }, { ms }) {
      const before = await readLoopDelay(service.url);
      if (load === 'http') {
        const [loaded, { latency = [], failed }] = await Promise.all([
          amount === 0 ? undefined : http(amount, ms),
          ask({ kind: 'probe', perSecond, ms }),
        ]);
        checkFailures(failed, latency.length + failed, 'calls of the peer');
        const delay = meanDelayMs(before, await readLoopDelay(service.url));
        return {
          figures: { remote: latency, ...(delay === undefined ? {} : { loop_delay: delay }) },
          notes: { failed: failed + (loaded?.failed ?? 0), http_answered: (loaded?.sent ?? 0) - (loaded?.failed ?? 0) },
        };
      }
      const [asked, moved] = await Promise.all([
        http(perSecond, ms),
        amount === 0 ? undefined : ask({ kind: load, amount, ms }),
      ]);
      checkFailures(asked.failed, asked.sent, 'HTTP requests');
      const delay = meanDelayMs(before, await readLoopDelay(service.url));
      return {
        figures: {
          off: asked.off,
          on: asked.on,
          late: asked.late,
          ...(moved === undefined ? {} : { reached: moved.reached }),
          ...(delay === undefined ? {} : { loop_delay: delay }),
        },
        notes: { failed: asked.failed, peer_failed: moved?.failed ?? 0 },
      };
    },
    async close() {
      client.close();
      await peer.end();
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
