/**
 * The crossover: from which load on the bridge gives the better latency than the shared loop.
 *
 * The rule: it is the least measured load at which the bridge is shown to be better, provided that at no higher load it is shown to be
 * worse. Shown means that the interval of the ratio leaves no doubt (`verdictOf` in `bench/statistics.ts`).
 */

import type { RatioEstimate } from '../suite.ts';

/** What was measured at one load: the shared loop's latency ÷ the bridge's. */
export interface LoadStep {
  readonly load: number;
  /** Undefined when one side was not measured. */
  readonly ratio: RatioEstimate | undefined;
}

export type Crossover =
  /** From this load on; `lowest` when there was no measured load below it. */
  | { readonly kind: 'from'; readonly load: number; readonly ratio: RatioEstimate; readonly lowest: boolean }
  /** The shared loop is shown to be better somewhere, the bridge nowhere. */
  | { readonly kind: 'never' }
  /** The bridge is shown to be better at some loads, and worse at higher ones. */
  | { readonly kind: 'mixed' }
  /** No load shows a difference. */
  | { readonly kind: 'not_shown' }
  | { readonly kind: 'not_measured' };

/** Applies the rule; the steps may come in any order. */
export function crossoverOf(steps: readonly LoadStep[]): Crossover {
  const measured = steps
    .flatMap(({ load, ratio }) => (ratio === undefined ? [] : [{ load, ratio }]))
    .toSorted((a, b) => a.load - b.load);
  if (measured.length === 0) return { kind: 'not_measured' };
  const lastWorse = measured.findLastIndex(({ ratio }) => ratio.verdict === 'less');
  const firstAfter = measured.findIndex(({ ratio }, index) => index > lastWorse && ratio.verdict === 'more');
  const first = measured[firstAfter];
  if (first !== undefined) return { kind: 'from', ...first, lowest: firstAfter === 0 };
  if (measured.some(({ ratio }) => ratio.verdict === 'more')) return { kind: 'mixed' };
  return { kind: lastWorse >= 0 ? 'never' : 'not_shown' };
}

/** One sentence; `unit` follows the load, such as "MB/s of bulk". */
export function crossoverText(what: string, crossover: Crossover, unit: string): string {
  switch (crossover.kind) {
    case 'from': {
      const { ratio, load, lowest } = crossover;
      const since = lowest ? `At ${load} ${unit}, the least that was measured, and above` : `From ${load} ${unit} on`;
      return `${what}: ${since} the bridge is better; shared loop ÷ bridge there ${factor(ratio)}.`;
    }
    case 'never':
      return `${what}: the bridge is better under no measured load (${unit}), the shared loop is under some.`;
    case 'mixed':
      return `${what}: the bridge is better under some loads (${unit}) and worse under higher ones; there is no crossover.`;
    case 'not_shown':
      return `${what}: no difference seen under any measured load (${unit}).`;
    case 'not_measured':
      return `${what}: not measured (${unit}).`;
  }
}

const factor = ({ value, low, high }: RatioEstimate): string =>
  `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
