/** What a run says on stdout at its end: the ratios, the noise, and where the rest is. */

import type { Report } from '../report-schema.ts';
import { duration } from './numbers.ts';
import { comparisonTables, gapsTable, noiseTable, type Table } from './tables.ts';

function textOf({ title, columns, firstNumber, rows }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) =>
        column < firstNumber ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [title, ...all.map((row) => `  ${line(row)}`), ''].join('\n');
}

export function summaryOf(report: Report, folder: string): string {
  const { machine } = report;
  return [
    `${machine.cores} × ${machine.model}, ${machine.kernel}; commit ${report.commit}, seed ${report.seed}, ${report.mode} run of ${duration(report.duration_s)}`,
    '',
    ...report.suites.flatMap((suite) =>
      [...comparisonTables(suite), noiseTable(suite), gapsTable(suite)]
        .filter((table) => table !== undefined)
        .map((table) => textOf({ ...table, title: `${suite.title}: ${table.title}` })),
    ),
    `${report.complete ? 'The report' : 'The partial report'} is in ${folder}: index.html, report.md, report.json.`,
  ].join('\n');
}
