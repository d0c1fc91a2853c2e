/**
 * The parts of prom-client that are used, one by one: its main module also loads the collectors of process figures, OpenTelemetry
 * and `node:cluster`, which takes ten times as long and would be paid by every command that starts.
 */

import { createRequire } from 'node:module';
import type * as client from 'prom-client';

const load = createRequire(import.meta.url);

export const Registry: typeof client.Registry = load('prom-client/lib/registry.js');
export const Counter: typeof client.Counter = load('prom-client/lib/counter.js');
export const Gauge: typeof client.Gauge = load('prom-client/lib/gauge.js');
export const Histogram: typeof client.Histogram = load('prom-client/lib/histogram.js');
