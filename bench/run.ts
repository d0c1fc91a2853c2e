/**
 * The benchmark: `npm run bench`. Runs the suites, and writes the report to `bench/reports/<date>-<machine>/`.
 * Exit code 0 when everything asked for was run, 1 when a suite gave nothing at all, 130 after Ctrl-C (the report is valid and partial).
 */

import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { summaryOf } from './page/print.ts';
import { folderNameOf, reportsFolder, writeReport } from './page/write-report.ts';
import { planOf } from './runner/plan-of.ts';
import { runAll } from './runner/run-all.ts';
import { runtimeNames, versionOf } from './runner/runtimes.ts';
import type { Mode, RuntimeName, Suite } from './suite.ts';
import { suites as allSuites } from './suites.ts';

const usage = `usage: npm run bench -- [options]

  --quick            two minutes instead of forty: fewer cells and rounds, wider intervals
  --smoke            one short round of everything, to see that it works; its figures mean nothing
  --suites a,b       only these: ${allSuites.map(({ name }) => name).join(', ')}
  --runtimes a,b     only these: node, deno
  --plan             only says how many cells each suite has and how long they take
  --seed n           repeats the order of cells of another run (default: 1)
  --out folder       where the report goes (default: bench/reports/<date>-<machine>)
  --help             this text

examples:
  npm run bench -- --quick
  npm run bench -- --suites hop,wire --runtimes node --out ./hop-report
`;

interface Wanted {
  suites: readonly Suite[];
  runtimes: readonly RuntimeName[];
  mode: Mode;
  help: boolean;
  onlyPlan: boolean;
  seed: number;
  out: string | undefined;
}

function choose<Item>(what: string, names: string, items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const wanted = names.split(',');
  const unknown = wanted.find((name) => !items.some((item) => nameOf(item) === name));
  if (unknown !== undefined) {
    throw new Error(`There is no ${what} '${unknown}'. There are: ${items.map(nameOf).join(', ')}.`);
  }
  return items.filter((item) => wanted.includes(nameOf(item)));
}

function readWanted(argv: string[]): Wanted {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      suites: { type: 'string' },
      runtimes: { type: 'string' },
      plan: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes a whole number, not '${values.seed}'.`);
  const installed = runtimeNames.filter((runtime) => versionOf(runtime) !== undefined);
  return {
    suites: values.suites === undefined ? allSuites : choose('suite', values.suites, allSuites, (suite) => suite.name),
    runtimes: values.runtimes === undefined ? installed : choose('runtime', values.runtimes, installed, (name) => name),
    mode: values.smoke ? 'smoke' : values.quick ? 'quick' : 'full',
    help: values.help,
    onlyPlan: values.plan,
    seed,
    out: values.out,
  };
}

async function main(): Promise<number> {
  let wanted: Wanted;
  try {
    wanted = readWanted(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (wanted.help) {
    console.log(usage);
    return 0;
  }
  if (wanted.onlyPlan) {
    console.log(await planOf(wanted));
    return 0;
  }
  const interrupt = new AbortController();
  const stop = (): void => {
    if (interrupt.signal.aborted) process.exit(130);
    console.error('\nStopping: the report of what was measured so far is being written. Once more to give it up.');
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const report = await runAll({ ...wanted, signal: interrupt.signal, progress: process.stderr });
  const folder = resolve(wanted.out ?? join(reportsFolder, folderNameOf(report)));
  await writeReport(report, folder);
  console.log(summaryOf(report, folder));
  if (!report.complete) return 130;
  const empty = report.suites.filter(({ cells }) => cells.every(({ status }) => status !== 'measured'));
  if (empty.length === 0) return 0;
  const names = empty.map(({ name }) => name).join(', ');
  console.error(
    `Nothing was measured in ${names}; the report says why of each cell. On a busy machine the time of a suite may be used up before its first round: try again when it is idle, or with --suites ${empty[0]?.name}.`,
  );
  return 1;
}

process.exitCode = await main();
