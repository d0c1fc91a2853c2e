/** What is asked of the hop's figures: ratios with their targets, pictures, sentences. */

import type { Comparison, Figures, Finding, Mode, Plot } from '../suite.ts';
import { hopLabels, onOneProcessor } from './hop-labels.ts';

/** Each bridge and the bare way that it goes over. */
const ownFloor = {
  worker: 'bare MessagePort',
  'process-unix': 'bare Unix socket',
  'process-http': 'bare HTTP',
} as const;
const bridgeNames = Object.keys(ownFloor) as (keyof typeof ownFloor)[];

/** The project's own targets for its bridge. */
const mostLatency = 1.5;
const leastThroughput = 1;

export function hopComparisons(runtimes: readonly string[], mode: Mode): Comparison[] {
  const overFloor = (inFlight: number, load = 'idle'): Comparison['pairs'] =>
    runtimes.flatMap((runtime) =>
      bridgeNames.map((layout) => ({
        label: `${runtime}: ${layout} ÷ ${ownFloor[layout]}`,
        of: hopLabels(runtime, layout, inFlight, 100, load),
        to: hopLabels(runtime, ownFloor[layout], inFlight, 100, load),
      })),
    );
  const aloneOnOne: Comparison[] = [
    {
      title: 'The same with both sides on one processor, which never has to be woken up: latency, one at a time',
      ...{ metric: 'latency', figure: 'p50', pairs: overFloor(1, onOneProcessor), target: { atMost: mostLatency } },
    },
    {
      title: 'The same with both sides on one processor: calls per second with 64 in flight',
      ...{ metric: 'rate', figure: 'value', pairs: overFloor(64, onOneProcessor) },
      target: { atLeast: leastThroughput },
    },
  ];
  return [
    {
      title: 'The bridge over the floor of its own channel: latency, one at a time',
      ...{ metric: 'latency', figure: 'p50', pairs: overFloor(1), target: { atMost: mostLatency } },
    },
    {
      title: 'The bridge over the floor of its own channel: calls per second with 64 in flight',
      ...{ metric: 'rate', figure: 'value', pairs: overFloor(64), target: { atLeast: leastThroughput } },
    },
    ...(mode === 'full' ? aloneOnOne : []),
    {
      title: 'What removing the hop is worth: inline ÷ each bridge, latency, one at a time',
      ...{ metric: 'latency', figure: 'p50' },
      pairs: runtimes.flatMap((runtime) =>
        [...bridgeNames, 'per-call'].map((layout) => ({
          label: `${runtime}: inline ÷ ${layout}`,
          of: hopLabels(runtime, 'inline'),
          to: hopLabels(runtime, layout),
        })),
      ),
    },
    ...([1, 64] as const).map(
      (inFlight): Comparison => ({
        title: `The worker bridge beside other libraries: ${inFlight === 1 ? 'latency, one at a time' : 'calls per second with 64 in flight'}`,
        ...{ metric: inFlight === 1 ? 'latency' : 'rate', figure: inFlight === 1 ? 'p50' : 'value' },
        pairs: runtimes.flatMap((runtime) =>
          ['piscina', 'tinypool', 'comlink', 'birpc'].map((peer) => ({
            label: `${runtime}: worker ÷ ${peer}`,
            of: hopLabels(runtime, 'worker', inFlight),
            to: hopLabels(runtime, peer, inFlight),
          })),
        ),
      }),
    ),
    {
      title: 'Beside 1000 HTTP requests a second in the calling loop ÷ idle: latency, one at a time',
      ...{ metric: 'latency', figure: 'p50' },
      pairs: runtimes.flatMap((runtime) =>
        ['inline', ...bridgeNames].map((layout) => ({
          label: `${runtime}: ${layout}`,
          of: hopLabels(runtime, layout, 1, 100, '1000 HTTP requests/s'),
          to: hopLabels(runtime, layout),
        })),
      ),
    },
  ];
}

const layouts = ['inline', ...bridgeNames] as const;
const anyRuntime = ['node', 'deno'] as const;

export function hopPlots(mode: Mode): Plot[] {
  const oneByOne = { in_flight: 1, payload_bytes: 100, load: 'idle' } as const;
  const pictures: Plot[] = [
    {
      kind: 'bars',
      title: 'Latency of a call that does nothing, one at a time',
      question: 'What does each layout cost per call, and how far is that from a bare message between two threads?',
      where: {
        ...oneByOne,
        runtime: anyRuntime,
        layout: [...layouts, 'per-call', 'piscina', 'tinypool', 'comlink', 'birpc'],
      },
      ...{ metrics: ['latency'], figure: 'p50', x: 'layout', xTitle: 'layout', panel: 'runtime', logY: true },
      floor: { title: 'bare MessagePort', where: { ...oneByOne, layout: 'bare MessagePort' } },
    },
  ];
  if (mode !== 'full') return pictures;
  return [
    ...pictures,
    {
      kind: 'lines',
      title: 'Throughput against calls in flight, 100 bytes',
      question: 'How many calls a second cross when more of them are under way at once?',
      where: { payload_bytes: 100, load: 'idle', runtime: anyRuntime, layout: [...layouts, 'bare MessagePort'] },
      ...{ metrics: ['rate'], figure: 'value', x: 'in_flight', xTitle: 'calls in flight', series: 'layout' },
      ...{ panel: 'runtime', logX: true, logY: true },
    },
    {
      kind: 'lines',
      title: 'Latency against payload, one at a time',
      question: 'From which payload on does carrying the bytes cost more than the hop itself?',
      where: {
        in_flight: 1,
        load: 'idle',
        runtime: anyRuntime,
        layout: [...layouts, 'bare MessagePort', 'bare Unix socket'],
      },
      ...{ metrics: ['latency'], figure: 'p50', x: 'payload_bytes', xTitle: 'payload', series: 'layout' },
      ...{ panel: 'runtime', logX: true, logY: true },
    },
  ];
}

/** The claim that the bridge-free server of the Python original is 50–80 % faster, answered for the hop alone. */
export function hopFindings(figures: Figures, runtimes: readonly string[]): Finding[] {
  return runtimes.flatMap((runtime): Finding[] => {
    const inline = figures.get(hopLabels(runtime, 'inline'), 'latency', 'p50');
    const worker = figures.get(hopLabels(runtime, 'worker'), 'latency', 'p50');
    if (inline === undefined || worker === undefined) return [];
    const saved = worker.value - inline.value;
    return [
      {
        kind: 'finding',
        text: `On ${runtime}, removing the hop to the worker thread saves ${saved.toFixed(1)} µs of each call (median; worker ${worker.low.toFixed(1)}–${worker.high.toFixed(1)} µs, inline ${inline.low.toFixed(1)}–${inline.high.toFixed(1)} µs).`,
      },
    ];
  });
}
