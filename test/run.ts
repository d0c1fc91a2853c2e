/**
 * The test runner: `node test/run.ts` or `deno run -A test/run.ts`. Runs every `*.test.ts` under `test` in a process of its own,
 * first all of them on Node, then on Deno, and ends with the line `N passed, N failed`. Exit code 1 if anything failed.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type FileOutcome, runFile } from './tooling/run-file.ts';
import { currentRuntime, type Runtime, rootFolder, runtimes } from './tooling/runtimes.ts';

const usage = `usage: test/run.ts [options] [pattern ...]

  pattern            run only files whose path contains it (a regular expression)
  --only-here        run on this runtime only
  --runtimes a,b     run on these, in this order (default: node,deno)
  --jobs n           files at once (default: 2)
  --time-limit-ms n  a file that takes longer is killed and has failed (default: 300000)
`;

interface Plan {
  wanted: RegExp[];
  on: Runtime[];
  jobs: number;
  timeLimitMs: number;
}

function isRuntime(name: string): name is Runtime {
  return (runtimes as readonly string[]).includes(name);
}

function positive(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name} takes a number above 0, not '${text}'`);
  return number;
}

function readPlan(argv: string[]): Plan {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      'only-here': { type: 'boolean', default: false },
      runtimes: { type: 'string', default: runtimes.join(',') },
      jobs: { type: 'string', default: '2' },
      'time-limit-ms': { type: 'string', default: '300000' },
    },
  });
  const named = values['only-here'] ? [currentRuntime] : values.runtimes.split(',');
  const on = named.filter(isRuntime);
  if (on.length < named.length) throw new Error(`--runtimes takes node and deno, not '${values.runtimes}'`);
  return {
    wanted: positionals.map((pattern) => new RegExp(pattern)),
    on,
    jobs: positive('jobs', values.jobs),
    timeLimitMs: positive('time-limit-ms', values['time-limit-ms']),
  };
}

/** Paths relative to the root folder, with forward slashes, sorted: the same order on every machine. */
async function findFiles(wanted: RegExp[]): Promise<string[]> {
  const entries = await readdir(path.join(rootFolder, 'test'), { recursive: true });
  return entries
    .map((entry) => `test/${entry.replaceAll(path.sep, '/')}`)
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => wanted.length === 0 || wanted.some((pattern) => pattern.test(file)))
    .sort();
}

function report(runtime: Runtime, file: string, outcome: FileOutcome): void {
  const { passed, failed, skipped, durationMs, complaint, output } = outcome;
  const skippedToo = skipped > 0 ? `, ${skipped} skipped` : '';
  const counts = failed > 0 ? `${passed} of ${passed + failed} passed` : `${passed} passed`;
  console.log(
    `${failed > 0 ? 'FAIL' : 'ok  '} ${runtime} ${file}: ${counts}${skippedToo} (${Math.round(durationMs)} ms)`,
  );
  // Why something is left out is said by the file itself.
  for (const line of output.match(/^SKIPPED: .*$/gm) ?? []) console.log(`     ${line}`);
  if (failed === 0) return;
  if (complaint !== '') console.log(`     ${complaint}`);
  console.log(`${output.trimEnd().replace(/^/gm, '   | ')}\n`);
}

/** Files that start both runtimes themselves, and take their time: once is enough. */
const onceIsEnough = /^test\/netns\//;

async function runAll({ wanted, on, jobs, timeLimitMs }: Plan, signal: AbortSignal): Promise<boolean> {
  const files = await findFiles(wanted);
  if (files.length === 0) throw new Error('no test file matches');
  const waiting = on.flatMap((runtime, index) =>
    files.filter((file) => index === 0 || !onceIsEnough.test(file)).map((file) => ({ runtime, file })),
  );
  const sum = { passed: 0, failed: 0, skipped: 0 };

  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
      const { runtime, file } = next;
      // Those that are run once wait for outages by the clock besides.
      const limitMs = onceIsEnough.test(file) ? 2 * timeLimitMs : timeLimitMs;
      const outcome = await runFile(path.join(rootFolder, file), { runtime, timeLimitMs: limitMs, signal });
      report(runtime, file, outcome);
      sum.passed += outcome.passed;
      sum.failed += outcome.failed;
      sum.skipped += outcome.skipped;
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));

  const skippedToo = sum.skipped > 0 ? `, ${sum.skipped} skipped` : '';
  console.log(`\n${files.length} files on ${on.join(' and ')}`);
  console.log(`${sum.passed} passed, ${sum.failed} failed${skippedToo}`);
  return sum.failed === 0 && !signal.aborted;
}

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
process.once('SIGTERM', () => interrupt.abort());
try {
  process.exitCode = (await runAll(readPlan(process.argv.slice(2)), interrupt.signal)) ? 0 : 1;
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  process.exitCode = 1;
}
