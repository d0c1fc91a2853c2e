/**
 * `/livez` and `/readyz`: for supervisors, load balancers and people. Neither asks the mesh anything.
 */

import { Hono } from 'hono';

/** Whether calls can be served, or why not yet. */
export type Readiness = boolean | { ready: boolean; reason?: string };

interface HealthOptions {
  readonly version: string;
  /** Must be cheap: it runs in the handler. */
  ready(): Readiness;
}

/** The routes. `/readyz` is 503 until `ready` says so. */
export function healthRoutes(options: HealthOptions): Hono {
  const { version } = options;
  const routes = new Hono();
  routes.get('/livez', (context) => context.json({ ok: true, status: 'live', version }));
  routes.get('/readyz', (context) => {
    const now = options.ready();
    const { ready, reason } = typeof now === 'boolean' ? { ready: now, reason: undefined } : now;
    if (ready) return context.json({ ok: true, status: 'ready', version });
    const message = `Not ready: ${reason ?? 'the P2P node is starting or has stopped'}. Try again in a second.`;
    return context.json(
      { ok: false, status: 'not_ready', error: 'mesh_down', message, retryable: true, version },
      503,
      { 'Retry-After': '1' },
    );
  });
  return routes;
}
