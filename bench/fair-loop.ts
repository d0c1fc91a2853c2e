/**
 * Whether bulk between peers keeps others waiting: the service as a user starts it, in the layouts `inline` and `worker`, a
 * second node that moves large values in and out of it at a rate, and HTTP clients that send 500 requests a second beside it,
 * half of them for the server alone (`server/discover`), half for the P2P node (`cache_has`). Each in a process of its own.
 *
 *     npm run bench:fair-loop                        some minutes, both runtimes
 *     npm run bench:fair-loop -- --quick             under a minute
 *     npm run bench:fair-loop -- --runtimes node --rates 0,100 --seconds 5 --rounds 4 --value-bytes 1000000
 *
 * Prints milliseconds and ratios, and writes `bench/reports/fair-loop.json` with all samples' quantiles.
 */

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type RuntimeName, type Service, startService } from '../test/support/service.ts';
import { tempFolder } from '../test/support/temp-folder.ts';
import type { BulkCommand, BulkReport } from './fair-loop-bulk.ts';
import type { LoadCommand, LoadReport } from './fair-loop-load.ts';

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runtimes: { type: 'string', default: 'node,deno' },
    rates: { type: 'string', default: '0,25,100' },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    'value-bytes': { type: 'string', default: '1000000' },
  },
});
const runtimes = given.runtimes.split(',') as RuntimeName[];
const rates = given.rates.split(',').map(Number);
const seconds = Number(given.seconds ?? (given.quick ? 2 : 5));
const rounds = Number(given.rounds ?? (given.quick ? 1 : 4));
const valueBytes = Number(given['value-bytes']);
const perSecond = 500;
/** Before anything counts: compilers and windows warm up. */
const warmUpSeconds = given.quick ? 1 : 2;

const layouts = ['inline', 'worker'] as const;
type Layout = (typeof layouts)[number];

interface Cell {
  runtime: RuntimeName;
  layout: Layout;
  rate: number;
  round: number;
  reached: number;
  failed: number;
  failure: string | undefined;
  /** Milliseconds. */
  off: { p50: number; p99: number };
  on: { p50: number; p99: number };
  driverLateP99: number;
}

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

function quantile(samples: readonly number[], at: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

const spread = (samples: readonly number[]): { p50: number; p99: number } => ({
  p50: quantile(samples, 0.5),
  p99: quantile(samples, 0.99),
});

async function start(file: string, ...args: string[]): Promise<ChildProcess> {
  const child = fork(path(file), args, { execPath: path('../node_modules/.bin/node') });
  await once(child, 'message');
  return child;
}

async function tell<Report>(child: ChildProcess, command: BulkCommand | LoadCommand): Promise<Report> {
  const answer = once(child, 'message');
  child.send(command);
  return (await answer)[0] as Report;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.send('end');
  await exited;
}

interface Drivers {
  bulk: ChildProcess;
  load: ChildProcess;
}

async function measure(service: Service, { bulk, load }: Drivers, rate: number, forSeconds: number) {
  const address = service.addresses.find((multiaddr) => !multiaddr.includes('/ws/')) ?? '';
  const command: BulkCommand = { address, megabytesPerSecond: rate, valueBytes, seconds: forSeconds };
  const moved = tell<BulkReport>(bulk, command);
  const asked = await tell<LoadReport>(load, { url: service.url, perSecond, seconds: forSeconds });
  return { asked, moved: await moved };
}

async function measureRuntime(runtime: RuntimeName): Promise<Cell[]> {
  await using folder = await tempFolder();
  const flags = ['--no-mdns', '--log-level', 'error'];
  await using inline = await startService({ runtime, layout: 'inline', data: folder.file('inline'), flags });
  await using worker = await startService({ runtime, layout: 'worker', data: folder.file('worker'), flags });
  const services = { inline, worker };
  const drivers = {
    bulk: await start('fair-loop-bulk.ts', folder.file('bulk')),
    load: await start('fair-loop-load.ts'),
  };
  const cells: Cell[] = [];
  for (const layout of layouts) await measure(services[layout], drivers, rates.at(-1) ?? 0, warmUpSeconds);
  for (let round = 0; round < rounds; round++) {
    for (const rate of rates) {
      for (const layout of round % 2 === 0 ? layouts : layouts.toReversed()) {
        const { asked, moved } = await measure(services[layout], drivers, rate, seconds);
        cells.push({
          ...{ runtime, layout, rate, round, reached: moved.reached },
          ...{ failed: asked.failed + moved.failed, failure: moved.failure },
          ...{ off: spread(asked.off), on: spread(asked.on), driverLateP99: quantile(asked.late, 0.99) },
        });
        console.error(`${runtime} round ${round + 1}, ${rate} MB/s, ${layout}: ${JSON.stringify(cells.at(-1))}`);
      }
    }
  }
  await Promise.all([end(drivers.bulk), end(drivers.load)]);
  return cells;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: path('..'), encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

const versionOf = (runtime: RuntimeName): string =>
  execFileSync(path(`../node_modules/.bin/${runtime}`), ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';

const median = (samples: readonly number[]): number => quantile(samples, 0.5);
const shown = (samples: readonly number[]): string => median(samples).toFixed(1);

/** Per round, so that what both layouts suffered at the same time is left out: median, and least to most. */
function ratio(of: readonly number[], to: readonly number[]): string {
  const ratios = of.map((value, round) => value / (to[round] ?? Number.NaN));
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`;
}

const machine = `${cpus().length} × ${cpus()[0]?.model ?? arch()}, ${type()} ${release()}`;
const measured: Cell[] = [];
for (const runtime of runtimes) measured.push(...(await measureRuntime(runtime)));

console.log(`\n${perSecond} requests/s beside bulk, ${new Date().toISOString().slice(0, 10)}, commit ${commit()}`);
console.log(
  `${machine}; ${rounds} rounds × ${seconds} s, values of ${valueBytes} bytes; milliseconds, medians of rounds\n`,
);
for (const runtime of runtimes) {
  console.log(`${runtime} (${versionOf(runtime)})`);
  const rows: Record<string, Record<string, string>> = {};
  for (const rate of rates) {
    const of = (layout: Layout, pick: (cell: Cell) => number): number[] =>
      measured.filter((cell) => cell.runtime === runtime && cell.layout === layout && cell.rate === rate).map(pick);
    for (const layout of layouts) {
      rows[`${rate} MB/s ${layout}`] = {
        'MB/s reached': shown(of(layout, ({ reached }) => reached)),
        'off p50': shown(of(layout, ({ off }) => off.p50)),
        'off p99': shown(of(layout, ({ off }) => off.p99)),
        'on p50': shown(of(layout, ({ on }) => on.p50)),
        'on p99': shown(of(layout, ({ on }) => on.p99)),
        failed: String(of(layout, ({ failed }) => failed).reduce((sum, failed) => sum + failed, 0)),
      };
    }
    const off = (layout: Layout): number[] => of(layout, (cell) => cell.off.p99);
    const on = (layout: Layout): number[] => of(layout, (cell) => cell.on.p99);
    rows[`${rate} MB/s ratio`] = {
      'off p99': `inline/worker ${ratio(off('inline'), off('worker'))}`,
      'on p99': `worker/inline ${ratio(on('worker'), on('inline'))}`,
    };
  }
  console.table(rows);
}

mkdirSync(path('reports'), { recursive: true });
const versions = Object.fromEntries(runtimes.map((runtime) => [runtime, versionOf(runtime)]));
const conditions = { perSecond, seconds, rounds, valueBytes };
writeFileSync(
  path('reports/fair-loop.json'),
  JSON.stringify({ date: new Date().toISOString(), commit: commit(), machine, versions, conditions, measured }),
);
