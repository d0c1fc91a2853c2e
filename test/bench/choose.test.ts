/** The rules for choosing a layout, on figures that are made up so that each of them has to speak. */

import * as assert from 'uvu/assert';
import { adviceFrom, defaultLayout } from '../../bench/page/choose.ts';
import type { SuiteReport } from '../../bench/report-schema.ts';
import { ratioEstimate } from '../../bench/statistics.ts';
import { cellId } from '../../bench/suite.ts';
import { crossoverOf } from '../../bench/suites/bought-crossover.ts';
import { suite } from '../tooling/suite.ts';
import { around, latency, madeUpReport, madeUpSuite } from './made-up-report.ts';

const test = suite('which layout to choose when');

const ms = { title: 'Requests off P2P', unit: 'ms', better: 'less' } as const;
const memory = { title: 'Memory', unit: 'MB', better: 'less' } as const;

/** p99 in ms of requests off P2P: `[load, inline, worker]`. */
const bought = (...steps: [load: number, inline: number, worker: number][]): SuiteReport => {
  const labelsOf = (layout: string, amount: number) => ({ runtime: 'node', layout, load: 'bulk', amount });
  return madeUpSuite(
    'bought',
    { off: ms },
    steps.flatMap(([amount, inline, worker]) => [
      { labels: labelsOf('inline', amount), rounds: { off: around(inline, 2) } },
      { labels: labelsOf('worker', amount), rounds: { off: around(worker, 2) } },
    ]),
    {
      comparisons: [
        {
          title: 'p99 off P2P',
          metric: 'off',
          figure: 'p99',
          pairs: steps.map(([amount, inline, worker]) => ({
            label: `${amount} MB/s`,
            of: cellId(labelsOf('inline', amount)),
            to: cellId(labelsOf('worker', amount)),
            ratio: ratioEstimate([around(inline, 2)], [around(worker, 2)]) ?? null,
          })),
        },
      ],
    },
  );
};

/** Medians in µs of a submit, one at a time. */
const toolCall = (inline: number, worker: number): SuiteReport =>
  madeUpSuite('tool-call', { latency }, [
    {
      labels: { runtime: 'node', layout: 'inline', what: 'submit', in_flight: 1 },
      rounds: { latency: around(inline, 1) },
    },
    {
      labels: { runtime: 'node', layout: 'worker', what: 'submit', in_flight: 1 },
      rounds: { latency: around(worker, 1) },
    },
  ]);

const textsOf = (...suites: SuiteReport[]): string[] => adviceFrom(madeUpReport(suites)).rules.map(({ text }) => text);
const says = (texts: readonly string[], pattern: RegExp): void =>
  assert.ok(
    texts.some((text) => pattern.test(text)),
    `${pattern} in\n${texts.join('\n')}`,
  );

test('quicker without the hop, and better with it only under heavy traffic: inline is the default', () => {
  const texts = textsOf(toolCall(800, 1_000), bought([0, 1, 1], [25, 4, 4], [100, 20, 10]));
  says(texts, /choose inline when the P2P calls themselves matter most/);
  says(texts, /choose the worker from 100 MB\/s/);
  says(texts, /inline is the better default/);
});

test('a call that does nothing decides nothing where no whole call was measured', () => {
  const hop = madeUpSuite('hop', { latency }, [
    { labels: { runtime: 'node', layout: 'inline', in_flight: 1 }, rounds: { latency: around(0.3, 1) } },
    { labels: { runtime: 'node', layout: 'worker', in_flight: 1 }, rounds: { latency: around(60, 1) } },
  ]);
  assert.equal(
    textsOf(hop, bought([0, 1, 1], [25, 4, 4])).filter((text) => /choose inline|better default/.test(text)),
    [],
  );
});

test('better with the hop at an ordinary load: the worker is the default', () => {
  const texts = textsOf(toolCall(800, 1_000), bought([0, 1, 1], [25, 8, 4], [100, 20, 10]));
  says(texts, /choose the worker from 25 MB\/s/);
  says(texts, /worker is the better default/);
});

test('no difference anywhere decides nothing', () => {
  const texts = textsOf(toolCall(1_000, 1_000), bought([0, 1, 1], [100, 4, 4]));
  says(texts, /choose by what load does/);
  says(texts, /P2P traffic does not decide it/);
  says(texts, /keep the default that there is/);
});

test('a worker that is better once and worse at a higher load has no crossover', () => {
  const texts = textsOf(toolCall(800, 1_000), bought([10, 8, 4], [100, 10, 20]));
  says(texts, /no load from which on the worker is better/);
  says(texts, /keep the default that there is/);
});

test('a saving is set beside what was promised', () => {
  says(textsOf(toolCall(800, 1_000)), /none of 1 operations may be 50 % to 80 % quicker/);
  says(textsOf(toolCall(400, 1_000)), /1 of 1 operations may be 50 % to 80 % quicker/);
});

test('memory decides where it is scarce, and only when a difference was seen', () => {
  const startUp = (worker: number): SuiteReport =>
    madeUpSuite('start-up', { memory }, [
      { labels: { runtime: 'deno', layout: 'inline' }, rounds: { memory: around(100, 1) }, isValue: true },
      { labels: { runtime: 'deno', layout: 'worker' }, rounds: { memory: around(worker, 1) }, isValue: true },
    ]);
  assert.equal(textsOf(startUp(150)), ['On deno, choose inline where memory is scarce.']);
  assert.equal(textsOf(startUp(100)), []);
});

test('without figures nothing is advised', () => {
  assert.equal(adviceFrom(madeUpReport([])), { rules: [], unexplained: [] });
  assert.is(defaultLayout(undefined, undefined, 25), 'either');
});

test('the crossover needs the worker to be shown better, and worse at no higher load', () => {
  const step = (load: number, verdict: 'less' | 'more' | 'same') => ({
    load,
    ratio: { value: verdict === 'less' ? 0.5 : 2, low: 0.4, high: 2.1, verdict },
  });
  assert.is(crossoverOf([step(0, 'less'), step(10, 'same'), step(20, 'more')]).kind, 'from');
  assert.is(crossoverOf([step(0, 'more'), step(10, 'less')]).kind, 'mixed');
  assert.is(crossoverOf([step(0, 'less'), step(10, 'same')]).kind, 'never');
  assert.is(crossoverOf([step(0, 'same')]).kind, 'not_shown');
});

test('missed targets, noise that is none, and what a suite could not explain are said at the end', () => {
  const { unexplained } = adviceFrom(
    madeUpReport([
      madeUpSuite('hop', { latency }, [], {
        findings: [
          { kind: 'unexplained', text: 'The parts make up 80 %.' },
          { kind: 'finding', text: 'All is well.' },
        ],
        noise: [
          {
            ...{ cell: 'a', metric: 'latency', figure: 'p50' },
            ratio: { value: 1.3, low: 1.25, high: 1.35, verdict: 'more' },
          },
        ],
        comparisons: [
          {
            ...{ title: 'Over the floor', metric: 'latency', figure: 'p50', target: { atMost: 1.5 } },
            pairs: [
              {
                ...{ label: 'worker', of: 'a', to: 'b', outcome: 'missed' },
                ratio: { value: 2, low: 1.9, high: 2.1, verdict: 'more' },
              },
            ],
          },
        ],
        duration_s: 20,
      }),
    ]),
  );
  assert.is(unexplained.length, 4);
  assert.match(
    unexplained.join('\n'),
    /80 %[\s\S]*target was missed[\s\S]*differs from itself[\s\S]*took 20 s of 10 s/,
  );
});

test.run();
