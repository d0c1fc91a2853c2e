/** The harness against channels whose delay is known: what it says must be what was put in. */

import * as assert from 'uvu/assert';
import { seededRandom } from '../../bench/random.ts';
import { evaluateSuite } from '../../bench/runner/evaluate.ts';
import { type MeasuredSuite, type RunSuiteOptions, runSuite } from '../../bench/runner/run-suite.ts';
import { currentRuntime as runtime } from '../../bench/runner/runtimes.ts';
import type { Cell, Suite, SuitePlan } from '../../bench/suite.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { suite } from '../tooling/suite.ts';

const test = suite('harness');
const file = new URL('../../bench/subjects/hop.ts', import.meta.url);

const busy = (layout: string, roundMs = 60): Cell => ({
  labels: { layout },
  subject: { runtime, file, params: { layout, warmUpMs: 0 } },
  task: { inFlight: 1, payloadBytes: 10, httpPerSecond: 0 },
  roundMs,
  warmUpMs: 10,
});

const suiteOf = (plan: Partial<SuitePlan>): Suite => ({
  ...{
    name: 'delays',
    title: 'Delays',
    question: 'How long?',
    budgetMs: { full: 60_000, quick: 60_000, smoke: 60_000 },
  },
  plan: async () => ({
    metrics: {
      latency: { title: 'Latency', unit: 'µs', better: 'less' },
      rate: { title: 'Throughput', unit: 'calls/s', better: 'more' },
    },
    cells: [],
    ...plan,
  }),
});

async function run(
  plan: Partial<SuitePlan>,
  signal = new AbortController().signal,
  onProgress: RunSuiteOptions['onProgress'] = () => {},
): Promise<MeasuredSuite> {
  await using folder = await tempFolder();
  return await runSuite(suiteOf(plan), {
    ...{ mode: 'smoke', runtimes: [runtime], folder: folder.path, random: seededRandom(1), signal, budgetMs: 60_000 },
    onProgress,
  });
}

test('an injected delay is found within 5 %, and a thing beside itself shows nothing', async () => {
  const measured = await run({
    cells: [busy('busy 0.2 ms'), busy('busy 0.3 ms')],
    ...{ processes: 2, rounds: 4, noiseOf: { layout: 'busy 0.2 ms' } },
    comparisons: [
      {
        ...{ title: 'delay', metric: 'latency', figure: 'p50', target: { atLeast: 1.2 } },
        pairs: [{ label: 'three ÷ two', of: { layout: 'busy 0.3 ms' }, to: { layout: 'busy 0.2 ms' } }],
      },
    ],
  });
  const report = evaluateSuite(measured, 1);
  const latency = report.cells.find(({ id }) => id === 'layout=busy 0.3 ms')?.metrics.latency;
  assert.ok(Math.abs((latency?.estimates.p50?.value ?? 0) / 300 - 1) < 0.05, JSON.stringify(latency?.estimates));
  const pair = report.comparisons[0]?.pairs[0];
  assert.ok(Math.abs((pair?.ratio?.value ?? 0) / 1.5 - 1) < 0.05, JSON.stringify(pair));
  assert.is(pair?.ratio?.verdict, 'more');
  assert.is(pair?.outcome, 'met');
  const noise = report.noise.find(({ metric, figure }) => metric === 'latency' && figure === 'p50');
  assert.is(noise?.ratio?.verdict, 'same', JSON.stringify(noise));
});

test('a block that needs more fresh processes than its suite gets them, and no other block does', async () => {
  const shares: number[] = [];
  const cells = [busy('busy 0.2 ms', 5), { ...busy('busy 0.3 ms', 5), block: 'compared closely' }];
  const plan = { cells, processes: 1, processesOf: { 'compared closely': 3 }, rounds: 2 };
  const measured = await run(plan, undefined, (_what, done) => void shares.push(done));
  assert.equal(
    measured.cells.map(({ rounds }) => rounds.map(({ process, round }) => `${process}.${round}`)),
    [
      ['0.0', '0.1'],
      ['0.0', '0.1', '1.0', '1.1', '2.0', '2.1'],
    ],
  );
  assert.is(measured.processes, 3);
  assert.is(shares.at(-1), 1);
});

test('a cell that fails is written down with its reason, and the others go on', async () => {
  const measured = await run({
    cells: [busy('busy 0.2 ms', 5), busy('no such layout', 5)],
    ...{ processes: 1, rounds: 1 },
  });
  const { cells } = evaluateSuite(measured, 1);
  assert.equal(
    cells.map(({ status }) => status),
    ['measured', 'failed'],
  );
  assert.match(cells[1]?.failure ?? '', /function/);
});

test('a subject that cannot start fails its cells alone', async () => {
  const missing = { ...busy('busy 0.3 ms', 5), subject: { runtime, file: new URL('./not-there.ts', import.meta.url) } };
  const { cells } = evaluateSuite(await run({ cells: [missing, busy('busy 0.2 ms', 5)], processes: 1, rounds: 1 }), 1);
  assert.equal(
    cells.map(({ status }) => status),
    ['failed', 'measured'],
  );
});

test('a plan that fails is the failure of its suite', async () => {
  await using folder = await tempFolder();
  const broken: Suite = { ...suiteOf({}), plan: () => Promise.reject(new Error('no database')) };
  const measured = await runSuite(broken, {
    ...{ mode: 'smoke', runtimes: [runtime], folder: folder.path, random: seededRandom(1), budgetMs: 1 },
    ...{ signal: new AbortController().signal, onProgress: () => {} },
  });
  assert.is(evaluateSuite(measured, 1).failure, 'no database');
});

test('an interrupted suite keeps what was measured', async () => {
  await using folder = await tempFolder();
  const interrupt = new AbortController();
  const plan = { cells: [busy('busy 0.2 ms', 5), busy('busy 0.3 ms', 5)], processes: 1, rounds: 1_000 };
  let steps = 0;
  const measured = await runSuite(suiteOf(plan), {
    ...{ mode: 'smoke', runtimes: [runtime], folder: folder.path, random: seededRandom(1), budgetMs: 60_000 },
    signal: interrupt.signal,
    onProgress() {
      if (++steps === 6) interrupt.abort();
    },
  });
  const { cells } = evaluateSuite(measured, 1);
  assert.equal(
    cells.map(({ status }) => status),
    ['measured', 'measured'],
  );
  assert.ok(cells.every(({ failure }) => failure === 'The run was interrupted.'));
});

test('a suite that takes too long is cut short, and each block has had its share', async () => {
  await using folder = await tempFolder();
  const cells = [
    { ...busy('busy 0.2 ms', 5), block: 'one' },
    { ...busy('busy 0.3 ms', 5), block: 'other' },
  ];
  const short = { ...suiteOf({ cells, processes: 1, rounds: 100_000 }), budgetMs: { full: 0, quick: 6_000, smoke: 0 } };
  const measured = await runSuite(short, {
    ...{ mode: 'quick', runtimes: [runtime], folder: folder.path, random: seededRandom(1), budgetMs: 6_000 },
    ...{ signal: new AbortController().signal, onProgress: () => {} },
  });
  for (const { status, failure } of evaluateSuite(measured, 1).cells) {
    assert.is(status, 'measured');
    assert.is(failure, 'The time of the suite was used up.');
  }
});

test('cells with the same labels are refused', async () => {
  const measured = run({ cells: [busy('busy 0.2 ms'), busy('busy 0.2 ms')] });
  await measured.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /same labels/),
  );
});

test.run();
