import * as assert from 'uvu/assert';
import { adviceFrom } from '../../bench/page/choose.ts';
import { headlineOf } from '../../bench/page/headline.ts';
import { htmlOf } from '../../bench/page/html.ts';
import { markdownOf } from '../../bench/page/markdown.ts';
import { number, withInterval } from '../../bench/page/numbers.ts';
import { folderNameOf } from '../../bench/page/write-report.ts';
import type { PlotReport, Report } from '../../bench/report-schema.ts';
import { suite } from '../tooling/suite.ts';
import { around, latency, madeUpReport, madeUpSuite } from './made-up-report.ts';

const test = suite('the report’s page');

const part = (title: string) => ({ title, unit: 'µs', better: 'less' }) as const;

const plots: PlotReport[] = [
  {
    ...{
      kind: 'bars',
      title: 'Latency',
      question: 'Which layout is <quick>?',
      where: { load: 0 },
      metrics: ['latency'],
    },
    ...{ figure: 'p50', x: 'layout', panel: 'runtime', logY: true },
    floor: { title: 'a bare message', where: { layout: 'bare', load: 0 } },
  },
  {
    ...{
      kind: 'lines',
      title: 'Growth',
      question: 'How does it grow?',
      where: {},
      metrics: ['latency'],
      figure: 'p99',
    },
    ...{ x: 'load', series: 'layout', panel: 'runtime' },
  },
  {
    ...{ kind: 'stack', title: 'Parts', question: 'Where does the time go?', where: { load: 0 } },
    ...{ metrics: ['http', 'hop'], figure: 'p50', x: 'layout' },
  },
  {
    kind: 'bars',
    title: 'Nothing',
    question: 'Not measured?',
    where: { load: 7 },
    metrics: ['latency'],
    figure: 'p50',
    x: 'layout',
  },
];

const made = (): Report =>
  madeUpReport([
    madeUpSuite(
      'hop',
      { latency, http: part('HTTP'), hop: part('The hop') },
      ['inline', 'worker', 'bare'].flatMap((layout, index) =>
        [0, 10].map((load) => ({
          labels: { runtime: 'node', layout, load },
          rounds: { latency: around(10 + 10 * index + load, 2), http: around(8, 1), hop: around(index + 1, 1) },
        })),
      ),
      { plots },
    ),
  ]);

test('it stands by itself: no script, nothing from elsewhere, light and dark', async () => {
  const report = made();
  const html = await htmlOf(report, adviceFrom(report));
  assert.not.match(html, /<script|<link|<img|src=|@import|url\(http/);
  assert.equal(
    [...html.matchAll(/https?:\/\/([^/"' ]+)/g)].filter(([, host]) => host !== 'www.w3.org'),
    [],
  );
  assert.match(html, /prefers-color-scheme: dark/);
});

test('every plot that has figures is a picture with its question, in colours of the page', async () => {
  const report = made();
  const html = await htmlOf(report, adviceFrom(report));
  assert.is([...html.matchAll(/<svg /g)].length, 3);
  assert.match(html, /Which layout is &lt;quick&gt;\?/);
  assert.not.match(html, /Not measured\?/);
  assert.not.match(html, /#0203|#01020/);
  assert.match(html, /var\(--series-0\)/);
  // Not by colour alone: dashes for lines, hatchings for areas, words for the floor.
  assert.match(html, /stroke-dasharray="6,3"/);
  assert.match(html, /<pattern /);
  assert.match(html, /a bare message: /);
});

test('every table names machine, cores, kernel, versions, commit, seed and duration', () => {
  const report = made();
  const text = markdownOf(report, adviceFrom(report), { isWhole: true, page: 'index.html' });
  const tables = text.split('\n').filter((line) => line.startsWith('|--'));
  const notes = text.split('\n').filter((line) => line.startsWith('<sub>'));
  assert.is(tables.length, text.match(/^### /gm)?.length);
  assert.is(notes.length, tables.length);
  for (const note of notes) {
    assert.match(note, /Big Box: 8 × Some CPU, Linux 6; node 26\.0\.0, deno 2\.9\.0; commit abc1234, seed 1, .* 9 s/);
  }
});

test('the page ends with the choice and with what was not explained', async () => {
  const report = made();
  const html = await htmlOf(report, adviceFrom(report));
  assert.ok(html.indexOf('id="choose"') > html.lastIndexOf('</table>'));
  assert.ok(html.indexOf('id="unexplained"') > html.indexOf('id="choose"'));
});

test('an interrupted run and a smoke run say so', async () => {
  const report = { ...made(), complete: false, mode: 'smoke' as const };
  const advice = adviceFrom(report);
  for (const text of [await htmlOf(report, advice), markdownOf(report, advice, { isWhole: true, page: '' })]) {
    assert.match(text, /interrupted/);
    assert.match(text, /figures mean nothing/);
  }
});

test('numbers have three digits that mean something', () => {
  assert.equal([0, 0.00012, 0.01234, 1.234, 12.34, 123.4, 1234, 1234567].map(number), [
    ...['0', '<0.001', '0.0123', '1.23', '12.3', '123', '1\u2009230', '1\u2009230\u2009000'],
  ]);
  assert.is(withInterval({ value: 2, low: 1.5, high: 2.5 }), '2.00 (1.50–2.50)');
  assert.is(withInterval({ value: 2, low: 2, high: 2 }), '2.00');
});

test('the README’s figures are those of the report, with a line for what is missing', () => {
  const suite = madeUpSuite('tool-call', { latency }, [
    {
      labels: { runtime: 'node', layout: 'inline', what: 'submit', in_flight: 1 },
      rounds: { latency: around(800, 0) },
    },
  ]);
  const text = headlineOf(madeUpReport([suite]), 'latest.md');
  assert.match(text, /\| `submit` over MCP, on disk when answered, µs \| 800 \| – \| – \| – \|/);
  assert.match(text, /8 × Some CPU.*Node 26\.0\.0, Deno 2\.9\.0.*\[the report\]\(latest\.md\)/);
});

test('a report’s folder is named by its day and its machine', () => {
  assert.is(folderNameOf(made()), '2026-01-02-big-box');
});

test.run();
