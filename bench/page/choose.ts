/**
 * Which layout to choose when: rules that turn the report's figures into advice. Each rule says which figures it reads and when
 * it speaks; where the figures show no difference it says so, and where they are missing it says nothing.
 */

import type { CellReport, Report, SuiteReport } from '../report-schema.ts';
import type { RatioEstimate } from '../suite.ts';
import { type Crossover, crossoverOf, type LoadStep } from '../suites/bought-crossover.ts';
import { withInterval } from './numbers.ts';
import { cellsWhere, comparedRatio, ratioIn, suiteOf } from './report-figures.ts';
import { unexplainedIn } from './unexplained.ts';

export interface Rule {
  readonly text: string;
  readonly because: string;
}

export interface Advice {
  readonly rules: readonly Rule[];
  readonly unexplained: readonly string[];
}

/** What one service with a busy mesh may move beside its requests, in MB/s: 25 tasks of 1 MB a second. */
export const ordinaryMegabytes = 25;

/** What the forerunner's plan promised for a server without the hop, as shares of a call's time. It was never measured. */
const promised = { least: 0.5, most: 0.8 } as const;

/**
 * `worker` where it is shown to be better for requests off P2P from an ordinary load on. Else `inline` where a call without load
 * is shown to be quicker without the hop, and nothing that was measured speaks for the worker at an ordinary load. Else `either`.
 */
export function defaultLayout(
  crossover: Crossover | undefined,
  hop: RatioEstimate | undefined,
  ordinaryLoad: number,
): 'inline' | 'worker' | 'either' {
  if (crossover === undefined || crossover.kind === 'not_measured' || hop === undefined) return 'either';
  if (crossover.kind === 'from' && crossover.load <= ordinaryLoad) return 'worker';
  return hop.verdict === 'less' && crossover.kind !== 'mixed' ? 'inline' : 'either';
}

export function adviceFrom(report: Report): Advice {
  const [hop, bought, toolCall, startUp] = ['hop', 'bought', 'tool-call', 'start-up'].map((name) =>
    suiteOf(report, name),
  );
  const runtimes = [...new Set([hop, bought, toolCall, startUp].flatMap(runtimesIn))];
  const rules = runtimes.flatMap((runtime): Rule[] => {
    const worth = removedHops(toolCall, runtime);
    const bare = removedHops(hop, runtime)[0]?.ratio;
    const crossover = bought === undefined ? undefined : crossoverOf(stepsOf(bought, runtime));
    // A call that does nothing says nothing of a whole one: without the tool call there is no advice on the hop.
    const decisive = worth[0]?.ratio;
    return [
      ...hopRule(runtime, decisive, bare),
      ...promiseRule(runtime, worth),
      ...crossoverRule(runtime, crossover),
      ...defaultRule(runtime, crossover, decisive),
      ...processRule(hop, runtime),
      ...memoryRule(startUp, runtime),
    ];
  });
  return { rules, unexplained: unexplainedIn(report) };
}

const runtimesIn = (suite: SuiteReport | undefined): string[] =>
  (suite?.cells ?? []).map(({ labels }) => String(labels.runtime)).filter((name) => name === 'node' || name === 'deno');

interface RemovedHop {
  readonly cell: CellReport;
  /** inline ÷ worker, median latency. */
  readonly ratio: RatioEstimate;
}

/** Of each cell, one call at a time, that was measured in both layouts. */
function removedHops(suite: SuiteReport | undefined, runtime: string): RemovedHop[] {
  if (suite === undefined) return [];
  return cellsWhere(suite, { runtime, layout: 'inline', in_flight: 1 }).flatMap((cell) => {
    const to = { ...cell.labels, layout: 'worker' };
    const ratio = ratioIn(suite, { of: cell.labels, to, metric: 'latency', figure: 'p50' });
    return ratio === undefined ? [] : [{ cell, ratio }];
  });
}

function hopRule(runtime: string, decisive: RatioEstimate | undefined, bare: RatioEstimate | undefined): Rule[] {
  if (decisive === undefined) return [];
  const whole = `a submit takes ${withInterval(decisive)} of its time without the hop`;
  const nothing = bare === undefined ? '' : `; a call that does nothing ${withInterval(bare)}`;
  return [
    { text: `On ${runtime}, ${hopAdvice(decisive)}`, because: `One at a time, inline ÷ worker: ${whole}${nothing}.` },
  ];
}

function hopAdvice({ verdict, low, high }: RatioEstimate): string {
  if (verdict === 'less') return 'choose inline when the P2P calls themselves matter most and traffic is light.';
  if (high < 1 || low > 1)
    return `a call without load is ${high < 1 ? 'quicker' : 'slower'} without the hop, by how much these figures do not say: choose by what load does.`;
  return 'choose by what load does: no difference that the hop makes to a call without load was seen.';
}

/** Whether a tool call gets as much quicker without the hop as was once promised. */
function promiseRule(runtime: string, worth: readonly RemovedHop[]): Rule[] {
  if (worth.length === 0) return [];
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const kept = worth.filter(({ ratio }) => ratio.verdict === 'less' && 1 - ratio.low >= promised.least);
  const each = worth.map(({ cell, ratio }) => {
    const interval = `${percent(1 - ratio.high)} to ${percent(1 - ratio.low)}`;
    return `${cell.labels.what ?? cell.id}: ${ratio.verdict === 'same' ? `no difference seen (${interval})` : `${percent(1 - ratio.value)} (${interval})`}`;
  });
  const range = `${percent(promised.least)} to ${percent(promised.most)}`;
  return [
    {
      text: `On ${runtime}, ${kept.length === 0 ? 'none' : `${kept.length}`} of ${worth.length} operations may be ${range} quicker without the hop, as the forerunner promised without measuring.`,
      because: `Time saved of a call, one at a time: ${each.join('; ')}.`,
    },
  ];
}

function crossoverRule(runtime: string, crossover: Crossover | undefined): Rule[] {
  switch (crossover?.kind) {
    case undefined:
    case 'not_measured':
      return [];
    case 'from':
      return [
        {
          text: `On ${runtime}, choose the worker from ${crossover.load} MB/s of P2P traffic on${crossover.lowest ? ', the least that was measured' : ''}.`,
          because: `There the p99 of requests off P2P in the shared loop is ${withInterval(crossover.ratio)} times that beside a worker, and at no higher load it is shown to be the other way.`,
        },
      ];
    case 'never':
      return [
        {
          text: `On ${runtime}, no P2P traffic that was measured speaks for the worker.`,
          because: 'At no load its p99 of requests off P2P is shown to be better, and at some it is shown to be worse.',
        },
      ];
    case 'mixed':
      return [
        {
          text: `On ${runtime}, there is no load from which on the worker is better.`,
          because: 'It is shown to be better at some loads and worse at higher ones.',
        },
      ];
    case 'not_shown':
      return [
        {
          text: `On ${runtime}, P2P traffic does not decide it.`,
          because: 'At no measured load a difference was seen in the p99 of requests off P2P.',
        },
      ];
  }
}

function defaultRule(runtime: string, crossover: Crossover | undefined, hop: RatioEstimate | undefined): Rule[] {
  if (crossover === undefined || crossover.kind === 'not_measured' || hop === undefined) return [];
  switch (defaultLayout(crossover, hop, ordinaryMegabytes)) {
    case 'inline':
      return [
        {
          text: `On ${runtime}, inline is the better default by these figures.`,
          because: `It is quicker without load, and up to ${ordinaryMegabytes} MB/s nothing shows the worker to be better.`,
        },
      ];
    case 'worker':
      return [
        {
          text: `On ${runtime}, worker is the better default by these figures.`,
          because: `It has the better p99 of requests off P2P already at an ordinary load (up to ${ordinaryMegabytes} MB/s).`,
        },
      ];
    case 'either':
      return [{ text: `On ${runtime}, keep the default that there is.`, because: 'These figures do not decide it.' }];
  }
}

function processRule(hop: SuiteReport | undefined, runtime: string): Rule[] {
  if (hop === undefined) return [];
  const [worker] = cellsWhere(hop, { runtime, layout: 'worker', in_flight: 1, payload_bytes: 100, load: 'idle' });
  if (worker === undefined) return [];
  const of = { ...worker.labels, layout: 'process-unix' };
  const ratio = ratioIn(hop, { of, to: worker.labels, metric: 'latency', figure: 'p50' });
  if (ratio === undefined) return [];
  return [
    {
      text: `On ${runtime}, choose process when server and node are to be restarted or limited each by itself.`,
      because: `That is not a matter of speed; its hop takes ${withInterval(ratio)} times as long as the worker's${ratio.verdict === 'same' ? ' (no difference seen)' : ''}.`,
    },
  ];
}

function memoryRule(startUp: SuiteReport | undefined, runtime: string): Rule[] {
  if (startUp === undefined) return [];
  const sides = { of: { runtime, layout: 'worker' }, to: { runtime, layout: 'inline' } };
  const ratio = ratioIn(startUp, { ...sides, metric: 'memory', figure: 'value' });
  if (ratio?.verdict !== 'more') return [];
  return [
    {
      text: `On ${runtime}, choose inline where memory is scarce.`,
      because: `A service that nobody has asked anything takes ${withInterval(ratio)} times as much with a worker.`,
    },
  ];
}

/** inline ÷ worker of the p99 of requests off P2P, per load in MB/s. */
const stepsOf = (suite: SuiteReport, runtime: string): LoadStep[] =>
  cellsWhere(suite, { runtime, layout: 'inline', load: 'bulk' }).flatMap(({ labels }) => {
    const to = { ...labels, layout: 'worker' };
    return typeof labels.amount === 'number'
      ? [{ load: labels.amount, ratio: comparedRatio(suite, { of: labels, to, metric: 'off', figure: 'p99' }) }]
      : [];
  });
