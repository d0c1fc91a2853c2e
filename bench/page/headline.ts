/** The few figures of a report that the README shows. */

import type { Report } from '../report-schema.ts';
import { onOneProcessor } from '../suites/hop-labels.ts';
import { adviceFrom } from './choose.ts';
import { withInterval } from './numbers.ts';
import { cellsWhere, suiteOf } from './report-figures.ts';

const rows = [
  {
    what: 'a call that does nothing, one at a time, µs',
    suite: 'hop',
    where: { payload_bytes: 100, in_flight: 1, load: 'idle' },
  },
  {
    what: 'the same with both sides on one processor, µs',
    suite: 'hop',
    where: { payload_bytes: 100, in_flight: 1, load: onOneProcessor },
  },
  { what: '`submit` over MCP, on disk when answered, µs', suite: 'tool-call', where: { what: 'submit', in_flight: 1 } },
  { what: '`submit` to a peer over MCP, µs', suite: 'tool-call', where: { what: 'submit to a peer', in_flight: 1 } },
] as const;
const columns = [
  { runtime: 'node', layout: 'inline' },
  { runtime: 'node', layout: 'worker' },
  { runtime: 'deno', layout: 'inline' },
  { runtime: 'deno', layout: 'worker' },
] as const;

/** Markdown. `link`: the report's short form, as the README reaches it. */
export function headlineOf(report: Report, link: string): string {
  const { machine, versions, commit, started_at } = report;
  const cell = (suite: string, where: Record<string, string | number>): string => {
    const found = suiteOf(report, suite);
    const estimate = found === undefined ? undefined : cellsWhere(found, where)[0]?.metrics.latency?.estimates.p50;
    return estimate === undefined ? '–' : withInterval(estimate);
  };
  const lines = rows.map(({ what, suite, where }) =>
    ['', what, ...columns.map((column) => cell(suite, { ...where, ...column })), ''].join(' | ').trim(),
  );
  const choices = adviceFrom(report).rules.filter(({ text }) =>
    /better default|keep the default|choose the worker/.test(text),
  );
  return [
    `| median (95 % interval) | ${columns.map(({ runtime, layout }) => `${runtime}, ${layout}`).join(' | ')} |`,
    `|---|${columns.map(() => '--:').join('|')}|`,
    ...lines,
    '',
    ...choices.map(({ text, because }) => `- ${text} ${because}`),
    '',
    `\`npm run bench\` on ${machine.cores} × ${machine.model}, ${machine.kernel}, Node ${versions.node ?? '–'}, Deno ${versions.deno ?? '–'}, ${started_at.slice(0, 10)}, commit ${commit}; all of it: [the report](${link}).`,
  ].join('\n');
}
