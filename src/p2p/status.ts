/** What the node says of itself. */

import type { Cache } from '../cache/cache.ts';
import { runtime, version } from '../mesh/build.ts';
import type { Clock } from '../mesh/clock.ts';
import type { Limits } from '../mesh/limits.ts';
import type { CheckedInput, OperationOutput } from '../mesh/operations.ts';
import type { Queue } from '../queue/queue.ts';
import type { Host } from './libp2p-host.ts';
import { onceATurn } from './once-a-turn.ts';
import type { Reachability } from './reach/reachability.ts';
import type { ToolRegistry } from './tools.ts';

export interface StatusParts {
  host: Host;
  reachability: Reachability;
  queue: Queue;
  cache: Cache;
  tools: ToolRegistry;
  layout: string;
  limits: Limits;
  clock: Clock;
  /** What the node's own callers are told besides. */
  ownDetail(): Partial<NonNullable<OperationOutput<'status'>['detail']>>;
}

export class StatusReport {
  readonly #parts: StatusParts;
  readonly #startedMs: number;
  /** libp2p puts these together anew each time, and asks the system for some of them. */
  readonly #ofHost: () => Pick<OperationOutput<'status'>, 'addresses' | 'connected_peers' | 'reachability'>;

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonicMs();
    const { host, reachability } = parts;
    this.#ofHost = onceATurn(() => ({
      addresses: host.getMultiaddrs().map(String),
      connected_peers: host.getPeers().length,
      reachability: reachability.view(),
    }));
  }

  async status({ detail }: CheckedInput<'status'>, caller: string): Promise<OperationOutput<'status'>> {
    const { host, queue, cache, tools, layout, limits, clock } = this.#parts;
    const { addresses, connected_peers, reachability } = this.#ofHost();
    const { counts, taskTypes, waiters, storedBytes } = await queue.stats();
    const report: OperationOutput<'status'> = {
      peer_id: host.peerId.toString(),
      version,
      runtime,
      layout,
      addresses,
      uptime_s: (clock.monotonicMs() - this.#startedMs) / 1000,
      connected_peers,
      reachability,
      queue: counts,
      capabilities: { task_types: taskTypes, tools: [...tools.names] },
    };
    if (!detail) return report;
    return {
      ...report,
      detail: {
        protocols: host.getProtocols(),
        waiters,
        stored_bytes: storedBytes,
        cache: cache.stats(),
        limits: { ...limits },
        ...(caller === report.peer_id ? this.#parts.ownDetail() : {}),
      },
    };
  }
}
