/** Subject of the suite `hop`: one way across, opened once, asked as the task says. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { type StartedProcess, startProcess } from '../far-side/process-life.ts';
import { closedLoop } from '../loops.ts';
import { pinToOne } from '../runner/pinning.ts';
import { serveCells } from '../serve-cells.ts';
import type { HopPayload, HopWay } from './hop-way.ts';
import { payloadOf } from './hop-way.ts';

export interface HopTask {
  inFlight: number;
  payloadBytes: number;
  /** HTTP requests a second that the loop which asks serves beside it; 0 for none. */
  httpPerSecond: number;
}

/** Imported when they are wanted, so that no subject carries what another one needs. */
const openers = {
  inline: async () => (await import('./hop-bridges.ts')).openInline(),
  worker: async () => (await import('./hop-bridges.ts')).openWorker(),
  'process-unix': async () => (await import('./hop-bridges.ts')).openProcess('unix'),
  'process-http': async () => (await import('./hop-bridges.ts')).openProcess('http'),
  'per-call': async () => (await import('./hop-per-call.ts')).openPerCall(),
  'bare MessagePort': async () => (await import('./hop-floors.ts')).openBarePort(),
  'bare Unix socket': async () => (await import('./hop-floors.ts')).openBareSocket(),
  'bare HTTP': async () => (await import('./hop-floors.ts')).openBareHttp(),
  piscina: async () => (await import('./hop-peers.ts')).openPiscina(),
  tinypool: async () => (await import('./hop-peers.ts')).openTinypool(),
  comlink: async () => (await import('./hop-peers.ts')).openComlink(),
  birpc: async () => (await import('./hop-peers.ts')).openBirpc(),
  /** For tests: keep the processor busy for so long. Shorter than a turn of the system's scheduler, so that few calls are cut in two. */
  'busy 0.2 ms': async () => (await import('./hop-delay.ts')).openDelay(0.2),
  'busy 0.3 ms': async () => (await import('./hop-delay.ts')).openDelay(0.3),
} satisfies Record<string, () => Promise<HopWay>>;

export type HopLayout = keyof typeof openers;

export interface HopParams {
  layout: HopLayout;
  /** Calls are made for so long before anything is measured: compilers need thousands of them on both sides. */
  warmUpMs: number;
  /** This process and what it starts share a single processor. */
  oneProcessor?: boolean;
}

const warmUpInFlight = 64;

/** A server in the loop that asks, with nothing behind it, and a process that sends it requests while it is told to. */
async function loadBeside(perSecond: number): Promise<{ process: StartedProcess; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json').end('{"ok":true}');
  });
  // Its connections are idle between two rounds.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const process = await startProcess(new URL('../far-side/http-load.ts', import.meta.url), [url, String(perSecond)]);
  return {
    process,
    async close() {
      await process.stop();
      server.close();
      server.closeAllConnections();
    },
  };
}

await serveCells<HopParams, HopTask>(async ({ layout, warmUpMs, oneProcessor }) => {
  if (oneProcessor === true) pinToOne(process.pid);
  const way = await openers[layout]();
  const payloads = new Map<number, HopPayload>();
  let load: Awaited<ReturnType<typeof loadBeside>> | undefined;
  const payload = (bytes: number): HopPayload => {
    const made = payloads.get(bytes) ?? payloadOf(bytes);
    payloads.set(bytes, made);
    return made;
  };
  if (warmUpMs > 0) await closedLoop(() => way.ask(payload(100)), { inFlight: warmUpInFlight, ms: warmUpMs });
  return {
    async measure({ inFlight, payloadBytes, httpPerSecond }, { ms }) {
      const sent = payload(payloadBytes);
      const measured = async () => ({ figures: { ...(await closedLoop(() => way.ask(sent), { inFlight, ms })) } });
      if (httpPerSecond === 0) return measured();
      load ??= await loadBeside(httpPerSecond);
      await load.process.tell('on');
      try {
        return await measured();
      } finally {
        await load.process.tell('off');
      }
    },
    async close() {
      await load?.close();
      await way.close();
    },
  };
});
