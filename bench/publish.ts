/**
 * Puts a report where readers of the repository find it: in `bench/reports/published` (without the samples), in
 * `bench/reports/latest.md`, and its main figures between the marks in the README. `node bench/publish.ts bench/reports/<folder>`, by whoever releases; a run by itself changes no README.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { headlineOf } from './page/headline.ts';
import { reportsFolder, writeReport } from './page/write-report.ts';
import { report } from './report-schema.ts';

const [from] = process.argv.slice(2);
if (from === undefined) {
  console.error('usage: node bench/publish.ts <folder of a report>');
  process.exit(2);
}
const whole = report.parse(JSON.parse(readFileSync(join(resolve(from), 'report.json'), 'utf8')));
// The histograms are most of its size, and nothing that is made from it needs them.
for (const { cells } of whole.suites)
  for (const { metrics } of cells) for (const each of Object.values(metrics)) delete each.samples;
const published = report.parse(whole);
await writeReport(published, join(reportsFolder, 'published'));
const readme = fileURLToPath(new URL('../README.md', import.meta.url));
const text = readFileSync(readme, 'utf8');
const marked = /(<!-- bench:begin -->\n)[\s\S]*?(<!-- bench:end -->)/;
if (!marked.test(text)) throw new Error('The README has no marks <!-- bench:begin --> and <!-- bench:end -->.');
const headline = headlineOf(published, 'bench/reports/latest.md');
writeFileSync(
  readme,
  text.replace(marked, (_all, begin, end) => `${begin}${headline}\n${end}`),
);
