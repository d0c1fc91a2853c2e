/** What the wire between two processes costs: the ways that one might have taken, and the one that taskmesh takes. */

import type { WireParams, WireTask } from '../subjects/wire.ts';
import { type WireWay, wireWays } from '../subjects/wire-ways.ts';
import type { Cell, Comparison, Labels, RuntimeName, Suite } from '../suite.ts';

const file = new URL('../subjects/wire.ts', import.meta.url);

/** What is asked of each way; one label tells them apart. */
const loads = [
  { bytes: 100, inFlight: 1 },
  { bytes: 100, inFlight: 32 },
  { bytes: 1024 * 1024, inFlight: 4 },
] as const;

type Pair = readonly [client: RuntimeName, server: RuntimeName];

function pairsOf(runtimes: readonly RuntimeName[], mixed: boolean): Pair[] {
  return runtimes.flatMap((client) =>
    runtimes.filter((server) => mixed || server === client).map((server): Pair => [client, server]),
  );
}

const between = ([client, server]: Pair): string => `${client} → ${server}`;

const labelsOf = (pair: Pair, way: WireWay, { bytes, inFlight }: (typeof loads)[number]): Labels => ({
  runtimes: between(pair),
  way,
  payload_bytes: bytes,
  in_flight: inFlight,
});

export const wire: Suite = {
  name: 'wire',
  title: 'The wire',
  question:
    'What does a message from one process to another cost by raw TCP, HTTP, WebSocket, a libp2p stream per call, and by the one long-lived stream that peers keep?',
  budgetMs: { full: 140_000, quick: 11_000, smoke: 12_000 },
  async plan({ runtimes, mode }) {
    const pairs = pairsOf(runtimes, mode === 'full');
    const roundMs = { full: 120, quick: 50, smoke: 10 }[mode];
    // libp2p is compiled for seconds; the three loads of a way warm up one another.
    const warmUpMs = { full: 600, quick: 50, smoke: 10 }[mode];
    const cells = pairs.flatMap((pair) =>
      wireWays.flatMap((way) =>
        loads.map((load): Cell => {
          const params: WireParams = { server: pair[1] };
          const task: WireTask = { way, ...load };
          return {
            labels: labelsOf(pair, way, load),
            subject: { runtime: pair[0], file, params: { ...params } },
            task: { ...task },
            roundMs,
            warmUpMs,
            block: between(pair),
          };
        }),
      ),
    );
    const comparison = (title: string, metric: string, figure: 'p50' | 'value', load: number): Comparison => ({
      title,
      metric,
      figure,
      pairs: pairs.flatMap((pair) =>
        wireWays
          .filter((way) => way !== 'one_stream')
          .map((way) => ({
            label: `${between(pair)}: one stream ÷ ${way}`,
            of: labelsOf(pair, 'one_stream', loads[load] ?? loads[0]),
            to: labelsOf(pair, way, loads[load] ?? loads[0]),
          })),
      ),
    });
    return {
      metrics: {
        latency: { title: 'Round trip', unit: 'µs', better: 'less' },
        rate: { title: 'Round trips, 32 in flight', unit: 'calls/s', better: 'more' },
        megabytes: { title: 'One way, messages of 1 MiB', unit: 'MB/s', better: 'more' },
      },
      cells,
      ...(mode === 'full' ? { processes: 2, rounds: 3 } : { processes: 1, rounds: mode === 'quick' ? 3 : 1 }),
      ...(pairs[0] === undefined ? {} : { noiseOf: labelsOf(pairs[0], 'tcp', loads[0]) }),
      comparisons: [
        comparison('A round trip of 100 bytes on the one stream beside the other ways', 'latency', 'p50', 0),
        comparison('Bytes on the one stream beside the other ways', 'megabytes', 'value', 2),
      ],
      plots: [
        {
          kind: 'bars',
          title: 'Round trip of 100 bytes between two processes',
          question: 'Which way across is the quickest for a small message, one at a time?',
          where: { payload_bytes: 100, in_flight: 1 },
          metrics: ['latency'],
          figure: 'p50',
          x: 'way',
          panel: 'runtimes',
          logY: true,
        },
        {
          kind: 'bars',
          title: 'Messages of 1 MiB between two processes',
          question: 'How much does each way carry?',
          where: { payload_bytes: 1024 * 1024 },
          metrics: ['megabytes'],
          figure: 'value',
          x: 'way',
          panel: 'runtimes',
        },
      ],
    };
  },
};
