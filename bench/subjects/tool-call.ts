/**
 * Subject of the suite `tool-call`: the driver. It starts the service as users do, the ladder of its parts, and the peer, each in
 * processes of their own, and sends requests to them over HTTP.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import type { Layout } from '../../src/mesh/node-options.ts';
import { startService } from '../../test/support/service.ts';
import { closedLoop } from '../loops.ts';
import { pin, pinned } from '../runner/pinning.ts';
import { type RoundResult, serveCells } from '../serve-cells.ts';
import { median } from '../statistics.ts';
import type { RuntimeName } from '../suite.ts';
import { askForTool, McpClient } from './mcp-client.ts';
import { startChild } from './own-child.ts';
import type { ToolCallPeer } from './tool-call-peer.ts';
import { type LadderOperation, ladderOf, partsOf, type Rung, storeys, workedType } from './tool-call-rung.ts';
import type { RungUrls, ToolCallRungsParams } from './tool-call-rungs.ts';

export interface ToolCallParams {
  runtime: RuntimeName;
  layout: Layout;
  /** Where data may lie on disk; and in memory, where the machine has such a folder. Each subject makes folders of its own there. */
  folder: string;
  memoryFolder: string | null;
  /** The ladder's nodes have processes of their own, and it ends in a service of its own, which other cells do not make warmer. */
  apart: boolean;
  /** Each rung, and the service, is called so often before it is measured: what is warmer than its parts seems to cost less. */
  warmUpCalls: number;
}

export type ToolCallTask =
  | { kind: 'ladder'; operation: LadderOperation }
  | { kind: 'get' }
  | { kind: 'trip' }
  | { kind: 'capacity'; operation: 'get' | LadderOperation; inFlight: number };

const here = (file: string): URL => new URL(file, import.meta.url);
const tools = { submit: 'p2p_taskqueue_submit', get: 'p2p_taskqueue_get_task', wait: 'p2p_taskqueue_wait_task' };
const payload = { text: 'x'.repeat(80) };
/** Calls of a rung's turn. The turns are short, and many in a round: what the machine does to one rung it does to all. */
const callsPerTurn = 6;
/** Calls at the beginning of a turn that do not count: threads and processors wake up. */
const uncounted = 2;
/** The whole has so many turns while a part has one: its p99 is wanted, of the parts only the median. */
const serviceTurns = 3;

/** The rungs, with the service's turns spread among them: each turn as long as any other, and none warmed by the one before. */
function turnsOf(rungs: readonly Rung[]): Rung[] {
  const parts = rungs.filter((rung) => rung !== 'service');
  const every = Math.ceil(parts.length / serviceTurns);
  return parts.flatMap((rung, index): Rung[] => (index % every === every - 1 ? [rung, 'service'] : [rung]));
}

const warmUpInFlight = 8;

const peerIdOf = (address: string): string => address.slice(address.lastIndexOf('/') + 1);
const epochMs = (): number => performance.timeOrigin + performance.now();

interface Folders {
  folder: string;
  memoryFolder: string | undefined;
}

type LadderOptions = Folders & Pick<ToolCallParams, 'runtime' | 'layout' | 'apart'>;

async function startLadder({ runtime, layout, apart, ...folders }: LadderOptions) {
  const peer = await startChild<ToolCallPeer>(runtime, here('./tool-call-peer.ts'), folders);
  const rungs = await Promise.all(
    (apart ? storeys.map((storey) => [storey]) : [storeys]).map((inside) => {
      const params: ToolCallRungsParams = { layout, ...folders, peer: peer.ready, storeys: inside };
      return startChild<RungUrls>(runtime, here('./tool-call-rungs.ts'), params, 'subject');
    }),
  );
  return { peer, rungs };
}

await serveCells<ToolCallParams, ToolCallTask>(async ({ runtime, layout, apart, warmUpCalls, ...folders }) => {
  // The driver; the peer inherits its place.
  pin('driver', process.pid);
  const folder = await mkdtemp(join(folders.folder, 't'));
  const memoryFolder = folders.memoryFolder === null ? undefined : await mkdtemp(join(folders.memoryFolder, 't'));
  const flags = ['--no-mdns', '--log-level', 'error'];
  const start = (name: string) =>
    startService({ runtime, layout, data: join(folder, name), flags, inFront: pinned('subject', []) });
  const [{ peer, rungs }, service] = await Promise.all([
    startLadder({ runtime, layout, apart, folder, memoryFolder }),
    start('service'),
  ]);
  const whole = apart ? await start('whole') : service;
  const services = new Set([service, whole]);
  const client = new McpClient();
  for (const { url } of services) await client.call(url, 'connect_peer', { remote_multiaddr: peer.ready.disk });
  const urls: RungUrls = Object.assign({ service: whole.url }, ...rungs.map(({ ready }) => ready));

  const submitTo = (url: string, peerAddress: string, operation: LadderOperation): (() => Promise<unknown>) => {
    const target = operation === 'submit_remote' ? { remote_peer_id: peerIdOf(peerAddress) } : {};
    const ask = askForTool(tools.submit, { task_type: 'bench.idle', payload, ...target });
    return () => client.send(url, ask);
  };
  const submitToRung = (rung: Rung, operation: LadderOperation): (() => Promise<unknown>) =>
    submitTo(urls[rung] ?? '', (rung === 'memory' && peer.ready.memory) || peer.ready.disk, operation);

  const getFrom = async (): Promise<() => Promise<unknown>> => {
    const { task_id } = await client.call(service.url, tools.submit, { task_type: 'bench.idle', payload });
    const ask = askForTool(tools.get, { task_id });
    return () => client.send(service.url, ask);
  };

  const warm = new Set<string>();
  /** In the cell's own warm-up: while it has its turn, nobody else is busy. */
  async function warmUpOnce(what: string, asks: readonly (() => Promise<unknown>)[]): Promise<void> {
    if (warm.has(what)) return;
    warm.add(what);
    for (const ask of asks) {
      const caller = async (): Promise<void> => {
        for (let call = 0; call < warmUpCalls / warmUpInFlight; call++) await ask();
      };
      await Promise.all(Array.from({ length: warmUpInFlight }, caller));
    }
  }

  async function ladder(operation: LadderOperation, ms: number): Promise<RoundResult> {
    const rungsThere = ladderOf(operation, (rung) => urls[rung] !== undefined);
    const senders = new Map(rungsThere.map((rung) => [rung, submitToRung(rung, operation)] as const));
    await warmUpOnce(operation, [...senders.values()]);
    const times = new Map<Rung, number[]>(rungsThere.map((rung) => [rung, []]));
    const turns = turnsOf(rungsThere);
    const until = performance.now() + ms;
    for (let cycle = 0; cycle === 0 || performance.now() < until; cycle++) {
      for (const rung of cycle % 2 === 0 ? turns : turns.toReversed()) {
        for (let call = 0; call < callsPerTurn; call++) {
          const from = performance.now();
          await senders.get(rung)?.();
          if (call >= uncounted) times.get(rung)?.push((performance.now() - from) * 1000);
        }
      }
    }
    const parts = partsOf(rungsThere, (rung) => median(times.get(rung) ?? []));
    const whole = median(times.get('service') ?? []);
    return {
      figures: {
        ...parts,
        latency: times.get('service') ?? [],
        explained: 100 * (1 - (parts.not_explained ?? 0) / whole),
      },
    };
  }

  /** Submit, work on another node, result: what the client sees, and when the worker had the task. */
  async function trip(ms: number): Promise<RoundResult> {
    const figures = {
      latency: [] as number[],
      trip_submit: [] as number[],
      trip_claim: [] as number[],
      trip_result: [] as number[],
    };
    const until = performance.now() + ms;
    do {
      const sentAt = epochMs();
      const { task_id } = await client.call(service.url, tools.submit, { task_type: workedType, payload });
      const acceptedAt = epochMs();
      const { task } = await client.call(service.url, tools.wait, { task_id, timeout_s: 10 });
      const knownAt = epochMs();
      const { result } = task as { result: { claimed_at: number } | null };
      if (result === null) throw new Error('Nobody worked on the task within 10 s.');
      figures.latency.push((knownAt - sentAt) * 1000);
      figures.trip_submit.push((acceptedAt - sentAt) * 1000);
      figures.trip_claim.push((result.claimed_at - acceptedAt) * 1000);
      figures.trip_result.push((knownAt - result.claimed_at) * 1000);
    } while (performance.now() < until);
    const { latency, ...parts } = figures;
    return {
      figures: { latency, ...Object.fromEntries(Object.entries(parts).map(([name, all]) => [name, median(all)])) },
    };
  }

  return {
    async measure(task, { ms }) {
      if (task.kind === 'ladder') return ladder(task.operation, ms);
      if (task.kind === 'trip') return trip(ms);
      if (task.kind === 'get') {
        const ask = await getFrom();
        await warmUpOnce('get', [ask]);
        const { latency } = await closedLoop(ask, { inFlight: 1, ms });
        return { figures: { latency } };
      }
      const { operation } = task;
      const ask = operation === 'get' ? await getFrom() : submitTo(service.url, peer.ready.disk, operation);
      const { rate } = await closedLoop(ask, { inFlight: task.inFlight, ms });
      return { figures: { rate } };
    },
    async close() {
      client.close();
      await Promise.all([...[...services].map((each) => each.stop()), ...rungs.map((child) => child.end())]);
      await peer.end();
      for (const used of [folder, memoryFolder])
        if (used !== undefined) await rm(used, { recursive: true, force: true });
    },
  };
});
