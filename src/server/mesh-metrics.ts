/**
 * Figures of the mesh behind the server: asked for at each scrape, because the node counts them itself. A mesh that does not
 * answer within the deadline is shown as down, and its counts are left out rather than repeated.
 */

import type { Registry } from 'prom-client';
import type { Clock } from '../mesh/clock.ts';
import { type BridgeHealth, bridgeStates } from '../mesh/health.ts';
import type { Mesh } from '../mesh/mesh.ts';
import type { OperationOutput } from '../mesh/operations.ts';
import { Counter, Gauge } from './prometheus.ts';

export interface MeshMetricsOptions {
  readonly mesh: Mesh;
  /** How long one scrape waits for the mesh, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Absent where nothing stands between the server and its node. */
  health?(): BridgeHealth;
}

export class MeshMetrics {
  readonly #options: MeshMetricsOptions;
  readonly #up;
  readonly #tasks;
  readonly #bytes;
  readonly #maxBytes;
  readonly #peers;
  readonly #refusals;
  readonly #bridge: BridgeMetrics | undefined;
  /** What was counted at the last scrape: a node that began anew begins at zero. */
  #refusalsSeen: Record<string, number> = {};
  /** The question that is on its way: scrapes at the same time share it. */
  #asking: Promise<void> | undefined;

  constructor(registry: Registry, options: MeshMetricsOptions) {
    this.#options = options;
    const registers = [registry];
    this.#up = new Gauge({
      name: 'taskmesh_mesh_up',
      help: 'Whether the P2P node answered during this scrape (1) or not (0).',
      registers,
    });
    this.#tasks = new Gauge({
      name: 'taskmesh_queue_tasks',
      help: 'Tasks that this node owns, by status.',
      labelNames: ['status'],
      registers,
    });
    this.#bytes = new Gauge({
      name: 'taskmesh_queue_bytes',
      help: 'Bytes of payloads and results in the queue.',
      registers,
    });
    this.#maxBytes = new Gauge({
      name: 'taskmesh_queue_max_bytes',
      help: 'How many bytes of them the queue takes before it refuses more.',
      registers,
    });
    this.#peers = new Gauge({
      name: 'taskmesh_connected_peers',
      help: 'Peers that this node is connected to.',
      registers,
    });
    this.#refusals = new Counter({
      name: 'taskmesh_peer_refusals_total',
      help: 'What was refused to peers, by cause: unlisted, revoked, rate, or the field of the grant that they lack.',
      labelNames: ['cause'],
      registers,
    });
    this.#bridge = options.health === undefined ? undefined : new BridgeMetrics(registry);
  }

  /** Brings all figures up to date. Never rejects, and takes no longer than the deadline. */
  refresh(): Promise<void> {
    this.#asking ??= this.#refresh().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #refresh(): Promise<void> {
    const { health } = this.#options;
    if (health !== undefined) this.#bridge?.show(health());
    const status = await this.#status();
    this.#up.set(status === undefined ? 0 : 1);
    this.#tasks.reset();
    for (const gauge of [this.#bytes, this.#maxBytes, this.#peers]) gauge.remove();
    if (status === undefined) return;
    for (const [name, count] of Object.entries(status.queue)) this.#tasks.set({ status: name }, count);
    this.#peers.set(status.connected_peers);
    if (status.detail !== undefined) this.#bytes.set(status.detail.stored_bytes);
    const maxBytes = status.detail?.limits.maxStoredBytes;
    if (maxBytes !== undefined) this.#maxBytes.set(maxBytes);
    this.#countRefusals(status.detail?.trust?.refusals ?? {});
  }

  #countRefusals(now: Readonly<Record<string, number>>): void {
    for (const [cause, count] of Object.entries(now)) {
      const seen = this.#refusalsSeen[cause] ?? 0;
      this.#refusals.inc({ cause }, count >= seen ? count - seen : count);
    }
    this.#refusalsSeen = { ...now };
  }

  /** Undefined when the mesh fails, or says nothing in time. */
  async #status(): Promise<OperationOutput<'status'> | undefined> {
    const { mesh, deadlineMs, clock } = this.#options;
    const late = new AbortController();
    const silence = Promise.withResolvers<undefined>();
    // Not left to the call's own deadline: a scrape ends even when nothing at the other side keeps one.
    const cancelTimer = clock.setTimer(deadlineMs, () => {
      late.abort();
      silence.resolve(undefined);
    });
    try {
      const asked = mesh.call('status', { detail: true }, { signal: late.signal, deadlineMs });
      return await Promise.race([asked, silence.promise]);
    } catch {
      return undefined;
    } finally {
      cancelTimer();
    }
  }
}

/** The bridge's own word on itself; it never asks the other side. */
class BridgeMetrics {
  readonly #states;
  readonly #restarts;
  readonly #inFlight;
  #restartsSeen = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#states = new Gauge({
      name: 'taskmesh_bridge_state',
      help: 'State of what carries calls to the P2P node: 1 for the state it is in, 0 for the others.',
      labelNames: ['layout', 'state'],
      registers,
    });
    this.#restarts = new Counter({
      name: 'taskmesh_bridge_restarts_total',
      help: 'How often the P2P side was started anew after it had ended or stopped answering.',
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'taskmesh_bridge_calls_in_flight',
      help: 'Calls that have crossed to the P2P side and wait for its answer.',
      registers,
    });
  }

  show({ layout, state, restarts, in_flight }: BridgeHealth): void {
    for (const name of bridgeStates) this.#states.set({ layout, state: name }, name === state ? 1 : 0);
    this.#restarts.inc(Math.max(0, restarts - this.#restartsSeen));
    this.#restartsSeen = restarts;
    this.#inFlight.set(in_flight);
  }
}
