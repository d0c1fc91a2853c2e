/** The report as one self-contained HTML page: no script, no font, nothing from elsewhere; light or dark as the reader's system is. */

import type { Report, SuiteReport } from '../report-schema.ts';
import type { Advice } from './choose.ts';
import { duration } from './numbers.ts';
import { drawPlot } from './pictures.ts';
import { cellTable, comparisonTables, conditions, gapsTable, noiseTable, type Table } from './tables.ts';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Colours with enough contrast on their ground, told apart also by those who see few of them. */
const light = [
  '#0b5fa5',
  '#b3541e',
  '#1b7f5c',
  '#8b3fa0',
  '#8a6d00',
  '#b02a4c',
  '#4a5a6a',
  '#2f7d8c',
  '#7a4b2a',
  '#5a6bd8',
];
const dark = [
  '#6cb4f0',
  '#f0a36c',
  '#62cfa5',
  '#d19be6',
  '#e0c25a',
  '#f08ba5',
  '#b4c2d0',
  '#7fd3e0',
  '#d6ab86',
  '#aab4ff',
];

const seriesColours = (colours: readonly string[]): string =>
  colours.map((colour, index) => `--series-${index}: ${colour};`).join(' ');

const style = `
:root { color-scheme: light dark; --text: #1a1d21; --soft: #59626d; --faint: #c9d0d8; --paper: #ffffff; --panel: #f5f7f9; --link: #0b5fa5; ${seriesColours(light)} }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ed; --soft: #a3adb8; --faint: #454d57; --paper: #14171a; --panel: #1d2125; --link: #6cb4f0; ${seriesColours(dark)} } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; background: var(--paper); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 3.5rem; border-top: 1px solid var(--faint); padding-top: 1.5rem; } h3 { margin-top: 2.25rem; font-size: 1.05rem; }
a { color: var(--link); } .soft, figcaption, .under { color: var(--soft); } .under { font-size: .78rem; }
figure { margin: 2rem 0; } figure > div { overflow-x: auto; } figure svg { display: block; max-width: 100%; height: auto; min-width: 36rem; } figcaption b { color: var(--text); display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .86rem; min-width: 60%; } th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--faint); text-align: left; vertical-align: top; }
th { font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; margin-top: 2rem; font-weight: 600; } nav { background: var(--panel); padding: .75rem 1rem; border-radius: .4rem; } nav a { margin-right: 1rem; }
.warn { border-left: 4px solid var(--series-1); padding-left: .8rem; } ol li, ul li { margin: .5rem 0; }
`.trim();

function tableHtml({ title, columns, firstNumber, rows, note }: Table, under: string): string {
  const kind = (index: number): string => (index < firstNumber ? '' : ' class="n"');
  const head = columns.map((column, index) => `<th scope="col"${kind(index)}>${escaped(column)}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((text, index) => `<td${kind(index)}>${escaped(text)}</td>`).join('')}</tr>`)
    .join('\n');
  const notes = note === undefined ? '' : `${escaped(note)}<br>`;
  return `<h3>${escaped(title)}</h3>\n<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>\n<p class="under">${notes}${escaped(under)}</p>`;
}

async function suiteHtml(report: Report, suite: SuiteReport): Promise<string> {
  const under = conditions(report, suite);
  const figures: string[] = [];
  for (const plot of suite.plots) {
    const svg = await drawPlot(suite, plot);
    if (svg === undefined) continue;
    const accessible = svg.replace(
      '<svg',
      `<svg role="img" aria-label="${escaped(`${plot.title}. ${plot.question}`)}"`,
    );
    figures.push(
      `<figure><figcaption><b>${escaped(plot.question)}</b>${escaped(plot.title)}</figcaption><div>${accessible}</div><p class="under">${plot.kind === 'stack' ? 'Medians of rounds.' : 'Lines through points are 95 % intervals.'} ${escaped(under)}</p></figure>`,
    );
  }
  const findings = suite.findings.filter(({ kind }) => kind === 'finding');
  const noise = noiseTable(suite);
  const gaps = gapsTable(suite);
  return [
    `<section id="${suite.name}"><h2>${escaped(suite.title)}</h2>`,
    `<p>${escaped(suite.question)}</p>`,
    ...(findings.length === 0 ? [] : [`<ul>${findings.map(({ text }) => `<li>${escaped(text)}</li>`).join('')}</ul>`]),
    ...figures,
    ...comparisonTables(suite).map((table) => tableHtml(table, under)),
    ...(noise === undefined ? [] : [tableHtml(noise, under)]),
    `<details><summary>Every figure</summary>${tableHtml(cellTable(suite), under)}</details>`,
    ...(gaps === undefined ? [] : [tableHtml(gaps, under)]),
    '</section>',
  ].join('\n');
}

function adviceHtml({ rules, unexplained }: Advice): string {
  const left = unexplained.length === 0 ? ['Nothing that the rules look for.'] : unexplained;
  return [
    '<section id="choose"><h2>Which layout to choose when</h2>',
    '<p class="soft">Each line follows from the figures above by a rule of <code>bench/page/choose.ts</code>.</p>',
    `<ul>${rules.map(({ text, because }) => `<li><b>${escaped(text)}</b> ${escaped(because)}</li>`).join('\n')}</ul>`,
    '</section><section id="unexplained"><h2>What was not explained</h2>',
    `<ul>${left.map((text) => `<li>${escaped(text)}</li>`).join('\n')}</ul></section>`,
  ].join('\n');
}

export async function htmlOf(report: Report, advice: Advice): Promise<string> {
  const title = `taskmesh benchmark, ${report.started_at.slice(0, 10)}`;
  const sections: string[] = [];
  for (const suite of report.suites) sections.push(await suiteHtml(report, suite));
  const links = report.suites.map(({ name, title }) => `<a href="#${name}">${escaped(title)}</a>`);
  const warnings = [
    ...(report.complete ? [] : ['The run was interrupted: what follows is partial.']),
    ...(report.mode === 'smoke' ? ['This was a smoke run: its figures mean nothing.'] : []),
    ...(report.machine.load_before > 0.5
      ? [`Something else was running as the run began (load ${report.machine.load_before.toFixed(2)}).`]
      : []),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>
<style>${style}</style></head><body>
<h1>${title}</h1>
<p class="soft">${escaped(`${report.machine.name}: ${report.machine.cores} × ${report.machine.model}, ${report.machine.kernel}. ${report.mode} run, ${duration(report.duration_s)}, commit ${report.commit}, seed ${report.seed}.`)}</p>
${warnings.map((text) => `<p class="warn">${escaped(text)}</p>`).join('\n')}
<nav>${links.join(' ')} <a href="#choose">Which layout to choose when</a> <a href="#unexplained">What was not explained</a></nav>
${sections.join('\n')}
${adviceHtml(advice)}
</body></html>
`;
}
