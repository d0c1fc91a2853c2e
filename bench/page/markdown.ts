/** The report as Markdown: `report.md`, and `latest.md`, which has no table of all cells. */

import type { Report, SuiteReport } from '../report-schema.ts';
import type { Advice } from './choose.ts';
import { duration } from './numbers.ts';
import { cellTable, comparisonTables, conditions, gapsTable, noiseTable, type Table } from './tables.ts';

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function tableText({ title, columns, firstNumber, rows, note }: Table, under: string): string {
  const line = (texts: readonly string[]): string => `| ${texts.map(escaped).join(' | ')} |`;
  const rule = `|${columns.map((_, index) => (index < firstNumber ? '---' : '--:')).join('|')}|`;
  const notes = note === undefined ? under : `${note} ${under}`;
  return [`### ${title}`, '', line(columns), rule, ...rows.map(line), '', `<sub>${notes}</sub>`, ''].join('\n');
}

function suiteText(report: Report, suite: SuiteReport, isWhole: boolean): string {
  const gaps = gapsTable(suite);
  const noise = noiseTable(suite);
  const under = conditions(report, suite);
  const tables = [
    ...comparisonTables(suite),
    ...(noise === undefined ? [] : [noise]),
    ...(isWhole ? [cellTable(suite)] : []),
    ...(gaps === undefined ? [] : [gaps]),
  ];
  return [
    `## ${suite.title}`,
    '',
    suite.question,
    '',
    ...suite.findings.filter(({ kind }) => kind === 'finding').map(({ text }) => `- ${text}`),
    '',
    ...tables.map((table) => tableText(table, under)),
  ].join('\n');
}

function adviceText({ rules, unexplained }: Advice): string {
  const bullet = ({ text, because }: Advice['rules'][number]): string => `- **${text}** ${because}`;
  return [
    '## Which layout to choose when',
    '',
    'Each line follows from the figures by a rule of `bench/page/choose.ts`.',
    '',
    ...rules.map(bullet),
    '',
    '## What was not explained',
    '',
    ...(unexplained.length === 0 ? ['Nothing that the rules look for.'] : unexplained.map((text) => `- ${text}`)),
    '',
  ].join('\n');
}

export interface MarkdownOptions {
  /** Every cell, or only what is read at a glance. */
  isWhole: boolean;
  /** Path of the page with the pictures, relative to this file. */
  page: string;
}

export function markdownOf(report: Report, advice: Advice, { isWhole, page }: MarkdownOptions): string {
  const state = report.complete ? '' : ' **The run was interrupted: what follows is partial.**';
  return [
    '# Benchmark report',
    '',
    `${report.started_at.slice(0, 16).replace('T', ' ')} UTC, ${report.mode} run, ${duration(report.duration_s)}, commit ${report.commit}${report.modified ? ' with changes' : ''}.${state}`,
    `Load of the machine before it began: ${report.machine.load_before.toFixed(2)}.`,
    `[The same with pictures](${page}); how it is measured: docs/benchmarks.md in the repository.`,
    '',
    ...(report.mode === 'smoke' ? ['This was a smoke run: its figures mean nothing.', ''] : []),
    ...(isWhole ? [] : [adviceText(advice)]),
    ...report.suites.map((suite) => suiteText(report, suite, isWhole)),
    ...(isWhole ? [adviceText(advice)] : []),
  ].join('\n');
}
