/**
 * Puts a report where readers of the repository find it: in `bench/reports/published` (without the samples), in
 * `bench/reports/latest.md`, and its main figures between the marks in the README. `node bench/publish.ts bench/reports/<folder>`, by whoever releases; a run by itself changes no README.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { headlineOf } from './page/headline.ts';
import { reportNamed } from './page/read-report.ts';
import { reportsFolder, writeReport } from './page/write-report.ts';
import { report } from './report-schema.ts';

const { whole } = reportNamed('usage: node bench/publish.ts <folder of a report>');
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
