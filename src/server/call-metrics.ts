/**
 * Figures of the tools that are called: made by the app's metrics, told by the one place that calls tools.
 */

import type { Registry } from 'prom-client';
import type { Answer } from '../mesh/answer.ts';
import type { Clock } from '../mesh/clock.ts';
import { operationEntry, operationNames } from '../mesh/operations.ts';
import { Counter, Gauge, Histogram } from './prometheus.ts';

/** Upper bounds in seconds: from a cached read to the longest wait that an operation allows. */
const durationBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150, 300, 600,
];

/** Ends the measuring of one call with the answer that it got. */
type EndCall = (answer: Answer) => void;

export class CallMetrics {
  readonly #clock: Clock;
  readonly #calls;
  readonly #durations;
  readonly #inFlight;

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock;
    const registers = [registry];
    this.#calls = new Counter({
      name: 'taskmesh_calls_total',
      help: 'Tool calls that ended, by tool and outcome: ok, or the error code of the answer.',
      labelNames: ['tool', 'code'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'taskmesh_call_duration_seconds',
      help: 'How long tool calls took, including the time that the caller asked them to wait.',
      labelNames: ['tool'],
      buckets: durationBuckets,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'taskmesh_calls_in_flight',
      help: 'Tool calls that are being answered now.',
      labelNames: ['tool'],
      registers,
    });
    // A rate over a counter that appears with its first call would not see that call.
    for (const name of operationNames) {
      const { tool } = operationEntry(name);
      this.#calls.inc({ tool, code: 'ok' }, 0);
      this.#inFlight.set({ tool }, 0);
    }
  }

  /** A call begins. `tool` must be a name of the table: labels that callers choose would have no bound. */
  begin(tool: string): EndCall {
    const fromMs = this.#clock.monotonicMs();
    this.#inFlight.inc({ tool });
    return (answer) => {
      this.#inFlight.dec({ tool });
      this.#calls.inc({ tool, code: answer.ok ? 'ok' : answer.error });
      this.#durations.observe({ tool }, (this.#clock.monotonicMs() - fromMs) / 1_000);
    };
  }
}
