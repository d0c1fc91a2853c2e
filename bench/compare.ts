/**
 * Two reports side by side: `npm run bench:compare -- A B`, each a folder or its `report.json`. Says what changed beyond noise.
 * Exit code 0 whatever changed, 2 when a report cannot be read.
 */

import process from 'node:process';
import { type Change, compareReports } from './page/compare-reports.ts';
import { withInterval } from './page/numbers.ts';
import { readReport } from './page/read-report.ts';
import type { Report } from './report-schema.ts';

const lineOf = ({ suite, cell, metric, figure, ratio, isBetter }: Change): string =>
  `  ${isBetter ? 'better' : 'worse '}  × ${withInterval(ratio)}  ${suite}: ${metric.title}${figure === 'value' ? '' : ` ${figure}`}, ${cell}`;

function main(argv: readonly string[]): number {
  const [first, second, ...more] = argv;
  if (first === undefined || second === undefined || more.length > 0) {
    console.error('usage: npm run bench:compare -- <report> <report>     a report is its folder, or its report.json');
    return 2;
  }
  let reports: [Report, Report];
  try {
    reports = [readReport(first), readReport(second)];
  } catch (error) {
    console.error(`A report cannot be read. ${error instanceof Error ? error.message : error}`);
    return 2;
  }
  const { changes, compared, differences, onlyInOne } = compareReports(...reports);
  const partial = reports.filter(({ complete }) => !complete).length;
  console.log(`${compared} figures are in both reports; ${changes.length} changed beyond noise (second ÷ first).`);
  for (const change of changes) console.log(lineOf(change));
  if (partial > 0) console.log(`${partial} of the two is partial.`);
  if (differences.length > 0) console.log(`\nThe two differ in:\n${differences.map((text) => `  ${text}`).join('\n')}`);
  if (onlyInOne.length > 0) console.log(`\nOnly in one of them:\n${onlyInOne.map((text) => `  ${text}`).join('\n')}`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
