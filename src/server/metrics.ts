/**
 * `/metrics` in the text format of Prometheus (version 0.0.4). Made by the app, with a registry of its own: two apps in one
 * process do not count into each other.
 */

import { Hono } from 'hono';
import { CallMetrics } from './call-metrics.ts';
import { LoopDelay } from './loop-delay.ts';
import { MeshMetrics, type MeshMetricsOptions } from './mesh-metrics.ts';
import { Gauge, Histogram, Registry } from './prometheus.ts';

/** The path of the metrics. */
const metricsPath = '/metrics';

/** Upper bounds in seconds. Timers have a resolution of a millisecond, so that less says nothing. */
const delayBuckets = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

interface MetricsOptions extends MeshMetricsOptions {
  readonly version: string;
  /** MCP sessions that are open now. */
  sessions(): number;
  /** HTTP connections that are open now. */
  connections(): number;
}

export class Metrics {
  readonly calls: CallMetrics;
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #mesh: MeshMetrics;
  readonly #sessions;
  readonly #connections;
  readonly #loopDelay: LoopDelay;

  constructor(options: MetricsOptions) {
    this.#options = options;
    const { version, clock } = options;
    const registers = [this.#registry];
    new Gauge({
      name: 'taskmesh_build_info',
      help: 'Which taskmesh this is; the value is always 1.',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    this.calls = new CallMetrics(this.#registry, clock);
    this.#sessions = new Gauge({ name: 'taskmesh_mcp_sessions', help: 'MCP sessions that are open now.', registers });
    this.#connections = new Gauge({
      name: 'taskmesh_http_connections',
      help: 'HTTP connections that are open now, this scrape’s among them.',
      registers,
    });
    this.#mesh = new MeshMetrics(this.#registry, options);
    const delays = new Histogram({
      name: 'taskmesh_event_loop_delay_seconds',
      help: 'How late timers of the server’s event loop fired; ten samples a second from the first scrape on.',
      buckets: delayBuckets,
      registers,
    });
    this.#loopDelay = new LoopDelay(clock, (delayMs) => delays.observe(delayMs / 1_000));
  }

  /** The one route. */
  routes(): Hono {
    const routes = new Hono();
    routes.get(metricsPath, async (context) => {
      this.#loopDelay.start();
      await this.#mesh.refresh();
      this.#sessions.set(this.#options.sessions());
      this.#connections.set(this.#options.connections());
      return context.body(await this.#registry.metrics(), 200, { 'Content-Type': this.#registry.contentType });
    });
    return routes;
  }

  /** Ends the measuring; idempotent. */
  close(): void {
    this.#loopDelay.stop();
  }
}
