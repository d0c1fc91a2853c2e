/**
 * What one hop to the P2P thread costs: the bridge's `worker` layout beside a bare MessagePort ping-pong, in the same run,
 * on Node and on Deno. A no-op stands behind the bridge, so that the bridge alone is measured.
 *
 *     npm run bench:hop            about a minute
 *     npm run bench:hop -- 5       fewer rounds
 *
 * Prints a table and writes `bench/reports/hop.json` with all samples.
 */

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, type } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

interface Side {
  /** Microseconds of each call, one at a time, per round. */
  us: number[][];
  /** Calls per second with 64 in flight, per round. */
  perSecond: number[];
}

type Measured = Record<'floor' | 'bridge', Side>;

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const bin = (name: string): string => path(`../node_modules/.bin/${name}`);
const runtimes = { node: [bin('node')], deno: [bin('deno'), 'run', '-A'] } as const;
const rounds = Number(process.argv[2] ?? 20);
const processes = 3;

function quantile(samples: readonly number[], at: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

/** Ratio of the two sides in each round: median, and the range of the middle 90 %. */
function ratio(of: readonly number[], to: readonly number[]): string {
  const ratios = of.map((value, round) => value / (to[round] ?? Number.NaN));
  return `${quantile(ratios, 0.5).toFixed(2)} (${quantile(ratios, 0.05).toFixed(2)}–${quantile(ratios, 0.95).toFixed(2)})`;
}

async function measure(runtime: keyof typeof runtimes): Promise<Measured> {
  const [command = '', ...args] = runtimes[runtime];
  const run = await promisify(execFile)(command, [...args, path('hop-measure.ts'), String(rounds)], {
    maxBuffer: 1 << 28,
  });
  return JSON.parse(run.stdout) as Measured;
}

function versionOf(runtime: keyof typeof runtimes): string {
  return execFileSync(runtimes[runtime][0], ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: path('..'), encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

const measured: Record<keyof typeof runtimes, Measured[]> = { node: [], deno: [] };
for (let process_ = 1; process_ <= processes; process_++) {
  for (const runtime of ['node', 'deno'] as const) {
    console.error(`process ${process_} of ${processes} on ${runtime}: ${rounds} rounds`);
    measured[runtime].push(await measure(runtime));
  }
}

const machine = `${cpus().length} × ${cpus()[0]?.model ?? arch()}, ${type()} ${release()}`;
console.log(`\nOne hop to a worker thread and back, ${new Date().toISOString().slice(0, 10)}, commit ${commit()}`);
console.log(`${machine}; ${processes} processes × ${rounds} rounds each, floor and bridge in turns\n`);
for (const runtime of ['node', 'deno'] as const) {
  const rows = (side: 'floor' | 'bridge') => measured[runtime].flatMap((run) => run[side].us);
  const rates = (side: 'floor' | 'bridge') => measured[runtime].flatMap((run) => run[side].perSecond);
  const medians = (side: 'floor' | 'bridge') => rows(side).map((round) => quantile(round, 0.5));
  console.log(`${runtime} (${versionOf(runtime)})`);
  console.table(
    Object.fromEntries(
      (['floor', 'bridge'] as const).map((side) => [
        side === 'floor' ? 'bare MessagePort' : 'bridge, no-op',
        {
          'p50 µs': quantile(rows(side).flat(), 0.5).toFixed(1),
          'p99 µs': quantile(rows(side).flat(), 0.99).toFixed(1),
          'calls/s, 64 in flight': Math.round(quantile(rates(side), 0.5)),
        },
      ]),
    ),
  );
  console.log(
    `bridge ÷ floor, median of rounds (5–95 %): latency ${ratio(medians('bridge'), medians('floor'))}, throughput ${ratio(rates('bridge'), rates('floor'))}\n`,
  );
}

mkdirSync(path('reports'), { recursive: true });
writeFileSync(
  path('reports/hop.json'),
  JSON.stringify({
    date: new Date().toISOString(),
    commit: commit(),
    machine,
    versions: { node: versionOf('node'), deno: versionOf('deno') },
    processes,
    rounds,
    measured,
  }),
);
