/**
 * Which layout to choose when: rules that turn the report's figures into advice. Each rule says which figures it reads and when
 * it speaks; where the figures show no difference it says so, and where they are missing it says nothing.
 */

import type { Report, SuiteReport } from '../report-schema.ts';
import type { RatioEstimate } from '../suite.ts';
import { number, withInterval } from './numbers.ts';
import { cellsWhere, ratioIn, suiteOf } from './report-figures.ts';

export interface Advice {
  readonly rules: readonly { readonly text: string; readonly because: string }[];
  readonly unexplained: readonly string[];
}

/** One step of rising load: worker ÷ inline, of the p99 of requests that do not touch P2P. */
export interface LoadStep {
  readonly load: number;
  readonly ratio: RatioEstimate;
}

export type Crossover =
  /** From this load on, and at every higher one that was measured, the worker has the better p99. */
  | { readonly kind: 'at'; readonly load: number }
  /** No load that was measured shows it. */
  | { readonly kind: 'none'; readonly upTo: number }
  /** Better at some load, and not at a higher one. */
  | { readonly kind: 'unclear'; readonly loads: readonly number[] };

/** The lowest load from which on every measured load shows the worker to be better. */
export function crossoverOf(steps: readonly LoadStep[]): Crossover | undefined {
  const rising = steps.toSorted((a, b) => a.load - b.load);
  const last = rising.at(-1);
  if (last === undefined) return undefined;
  const better = rising.filter(({ ratio }) => ratio.verdict === 'less').map(({ load }) => load);
  if (better.length === 0) return { kind: 'none', upTo: last.load };
  const firstOfTail = rising.slice(rising.findLastIndex(({ ratio }) => ratio.verdict !== 'less') + 1)[0];
  return firstOfTail === undefined ? { kind: 'unclear', loads: better } : { kind: 'at', load: firstOfTail.load };
}

/**
 * Inline by default where it is not slower at anything that was measured without load, and where no crossover was seen or the
 * load at which it was seen is beyond `ordinaryLoad`; the worker otherwise.
 */
export function defaultLayout(
  crossover: Crossover | undefined,
  hop: RatioEstimate | undefined,
  ordinaryLoad: number,
): 'inline' | 'worker' | 'either' {
  if (crossover === undefined || hop === undefined) return 'either';
  const isProtected = crossover.kind === 'at' && crossover.load <= ordinaryLoad;
  if (isProtected) return 'worker';
  if (hop.verdict === 'less' && crossover.kind !== 'unclear') return 'inline';
  return 'either';
}

/** What one service with a busy mesh may move beside its requests, in MB/s: 25 tasks of 1 MB a second. */
const ordinaryMegabytes = 25;

/** Labels of the suites that the rules read. */
const names = { hop: 'hop', bought: 'bought', toolCall: 'tool-call', startUp: 'start-up' } as const;

const runtimesIn = (suite: SuiteReport | undefined): string[] => [
  ...new Set(
    (suite?.cells ?? []).map(({ labels }) => String(labels.runtime)).filter((name) => /^(node|deno)$/.test(name)),
  ),
];

export function adviceFrom(report: Report): Advice {
  const rules: { text: string; because: string }[] = [];
  const hop = suiteOf(report, names.hop);
  const bought = suiteOf(report, names.bought);
  const toolCall = suiteOf(report, names.toolCall);
  const runtimes = [...new Set([...runtimesIn(hop), ...runtimesIn(bought), ...runtimesIn(toolCall)])];
  for (const runtime of runtimes) {
    const worth = toolCall === undefined ? undefined : removedHop(toolCall, runtime);
    const bare = hop === undefined ? undefined : removedHop(hop, runtime);
    const crossover = bought === undefined ? undefined : crossoverOf(stepsOf(bought, runtime));
    rules.push(...hopRule(runtime, bare, worth), ...crossoverRule(runtime, crossover));
    if (crossover !== undefined)
      rules.push(defaultRule(runtime, defaultLayout(crossover, worth ?? bare, ordinaryMegabytes)));
  }
  rules.push(...processRule(hop, runtimes));
  return { rules, unexplained: unexplainedIn(report) };
}

/** inline ÷ worker of the suite's first cell with both, one call at a time. */
function removedHop(suite: SuiteReport, runtime: string): RatioEstimate | undefined {
  const [inline] = cellsWhere(suite, { runtime, layout: 'inline', in_flight: 1 });
  if (inline === undefined) return undefined;
  return ratioIn(suite, {
    of: inline.labels,
    to: { ...inline.labels, layout: 'worker' },
    metric: 'latency',
    figure: 'p50',
  });
}

function hopRule(runtime: string, bare: RatioEstimate | undefined, worth: RatioEstimate | undefined) {
  const parts = [
    ...(worth === undefined ? [] : [`a whole tool call takes ${withInterval(worth)} of its time without the hop`]),
    ...(bare === undefined ? [] : [`a call that does nothing takes ${withInterval(bare)} of it`]),
  ];
  const decisive = worth ?? bare;
  if (decisive === undefined) return [];
  const text =
    decisive.verdict === 'less'
      ? `On ${runtime}, choose inline when the P2P calls themselves matter most and traffic is light.`
      : `On ${runtime}, the hop to the worker does not show in a call without load: choose by what load does.`;
  return [{ text, because: `One at a time, inline ÷ worker: ${parts.join('; ')}.` }];
}

function crossoverRule(runtime: string, crossover: Crossover | undefined) {
  if (crossover === undefined) return [];
  const loads = (values: readonly number[]): string => values.map(number).join(', ');
  switch (crossover.kind) {
    case 'at':
      return [
        {
          text: `On ${runtime}, choose the worker from ${number(crossover.load)} MB/s of P2P traffic on.`,
          because: 'From there on, at every load that was measured, requests off P2P have the better p99 with it.',
        },
      ];
    case 'none':
      return [
        {
          text: `On ${runtime}, no P2P traffic up to ${number(crossover.upTo)} MB/s gave the worker the better p99.`,
          because: 'No measured load showed a difference in its favour for requests off P2P.',
        },
      ];
    case 'unclear':
      return [
        {
          text: `On ${runtime}, the worker was better at ${loads(crossover.loads)} MB/s and not at a higher load.`,
          because: 'So there is no crossover that these figures show.',
        },
      ];
  }
}

function defaultRule(runtime: string, layout: ReturnType<typeof defaultLayout>) {
  const because = {
    inline: 'It is quicker where nothing else happens, and ordinary load does not take that away.',
    worker: `It has the better p99 already at an ordinary load (up to ${ordinaryMegabytes} MB/s).`,
    either: 'These figures do not decide it.',
  }[layout];
  const text =
    layout === 'either'
      ? `On ${runtime}, keep the default that there is.`
      : `On ${runtime}, ${layout} is the better default by these figures.`;
  return { text, because };
}

function processRule(hop: SuiteReport | undefined, runtimes: readonly string[]) {
  if (hop === undefined) return [];
  return runtimes.flatMap((runtime) => {
    const [worker] = cellsWhere(hop, { runtime, layout: 'worker', in_flight: 1 });
    if (worker === undefined) return [];
    const ratio = ratioIn(hop, {
      of: { ...worker.labels, layout: 'process-unix' },
      to: worker.labels,
      metric: 'latency',
      figure: 'p50',
    });
    if (ratio === undefined) return [];
    return [
      {
        text: `On ${runtime}, choose process when server and node are to be restarted or limited each by itself.`,
        because: `That is not a matter of speed; a call to it takes ${withInterval(ratio)} times as long as one to the worker${ratio.verdict === 'same' ? ' (no difference seen)' : ''}.`,
      },
    ];
  });
}

/** What the suites could not explain, targets that were missed, and noise that is no noise. */
function unexplainedIn(report: Report): string[] {
  return report.suites.flatMap((suite) => [
    ...suite.findings.filter(({ kind }) => kind === 'unexplained').map(({ text }) => text),
    ...suite.comparisons.flatMap(({ title, pairs }) =>
      pairs
        .filter(({ outcome }) => outcome === 'missed')
        .map(
          ({ label, ratio }) =>
            `${title}; ${label}: ${ratio === null ? '–' : withInterval(ratio)}. The target was missed.`,
        ),
    ),
    ...suite.noise
      .filter(({ ratio }) => ratio !== null && ratio.verdict !== 'same')
      .map(
        ({ cell, metric, figure, ratio }) =>
          `${suite.title}: ${cell} differs from itself in ${metric} ${figure} (${ratio === null ? '–' : withInterval(ratio)}). Differences of that size mean nothing in this suite.`,
      ),
  ]);
}

/** worker ÷ inline of the p99 of requests off P2P, per load in MB/s. */
function stepsOf(suite: SuiteReport, runtime: string): LoadStep[] {
  return cellsWhere(suite, { runtime, layout: 'inline' }).flatMap((cell) => {
    const load = cell.labels.megabytes_per_second;
    if (typeof load !== 'number') return [];
    const ratio = ratioIn(suite, {
      of: { ...cell.labels, layout: 'worker' },
      to: cell.labels,
      metric: 'off',
      figure: 'p99',
    });
    return ratio === undefined ? [] : [{ load, ratio }];
  });
}
