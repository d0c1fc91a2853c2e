import * as assert from 'uvu/assert';
import { compareReports } from '../../bench/page/compare-reports.ts';
import type { SuiteReport } from '../../bench/report-schema.ts';
import { suite } from '../tooling/suite.ts';
import { around, latency, type MadeUpCell, madeUpReport, madeUpSuite, rate } from './made-up-report.ts';

const test = suite('compare');

const cells = (slower: number, percent = 2): MadeUpCell[] => [
  { labels: { layout: 'inline' }, rounds: { latency: around(10, percent) } },
  { labels: { layout: 'worker' }, rounds: { latency: around(40 * slower, percent) } },
  { labels: { layout: 'worker', in_flight: 64 }, rounds: { rate: around(1_000 / slower, percent) }, isValue: true },
];
const reportOf = (made: readonly MadeUpCell[], more: Partial<SuiteReport> = {}) =>
  madeUpReport([madeUpSuite('hop', { latency, rate }, made, more)]);

test('an injected change is found, with its direction', () => {
  const { changes, compared } = compareReports(reportOf(cells(1)), reportOf(cells(1.2)));
  assert.equal(
    changes.map(({ cell, figure, isBetter }) => [cell, figure, isBetter]),
    [
      ['layout=worker', 'p50', false],
      ['layout=worker', 'p99', false],
      ['layout=worker in_flight=64', 'value', false],
    ],
  );
  assert.ok(Math.abs((changes[0]?.ratio.value ?? 0) - 1.2) < 0.02);
  assert.is(compared, 5);
  const back = compareReports(reportOf(cells(1.2)), reportOf(cells(1)));
  assert.ok(back.changes.length === 3 && back.changes.every(({ isBetter }) => isBetter));
});

test('noise is ignored', () => {
  assert.equal(compareReports(reportOf(cells(1, 15)), reportOf(cells(1.04, 15))).changes, []);
  assert.equal(compareReports(reportOf(cells(1)), reportOf(cells(1))).changes, []);
});

test('a change is none when a report saw as much between a thing and itself', () => {
  const noise: SuiteReport['noise'] = (['p50', 'p99'] as const).map((figure) => ({
    ...{ cell: 'layout=worker', metric: 'latency', figure },
    ratio: { value: 1.1, low: 0.9, high: 1.3, verdict: 'same' },
  }));
  const { changes } = compareReports(reportOf(cells(1), { noise }), reportOf(cells(1.2)));
  assert.equal(
    changes.map(({ figure }) => figure),
    ['value'],
  );
});

test('what only one report has is named, and so is what makes them unlike', () => {
  const first = madeUpReport([madeUpSuite('hop', { latency }, cells(1).slice(0, 2))]);
  const second = madeUpReport([madeUpSuite('hop', { latency }, cells(1).slice(0, 1)), madeUpSuite('wire', {}, [])], {
    commit: 'def5678',
    mode: 'quick',
  });
  const { onlyInOne, differences } = compareReports(first, second);
  assert.equal(onlyInOne, ['hop: layout=worker', 'wire: the whole suite']);
  assert.equal(differences, ['mode: full → quick', 'commit: abc1234 → def5678']);
});

test.run();
