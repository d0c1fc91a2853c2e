/**
 * A quantile of the tail: of all rounds' samples together, with its interval by resampling processes and rounds; and the ratio of
 * two such quantiles, for which both sides are resampled alike, because they took turns.
 */

import { seededRandom } from '../random.ts';
import type { Samples } from '../samples.ts';
import { quantile } from '../statistics.ts';
import type { Estimate } from '../suite.ts';

/** Fewer than for medians: each one adds up whole histograms. */
const resamples = 200;
const leastForBootstrap = 6;

/** `groups`: the rounds' samples, those of one process together. */
export function pooledQuantile(groups: readonly (readonly Samples[])[], share: number, seed: number): Estimate {
  const counted = groups.map((group) => group.map((samples) => new Counted(samples)));
  return resampled(counted, (rounds) => quantileOf(rounds, share), seed);
}

/** One round of both sides. */
export type RoundPair = readonly [of: Samples, to: Samples];

/** `of ÷ to` of the quantiles. `groups`: the rounds that both sides have, those of one process together; at least one. */
export function pooledRatio(groups: readonly (readonly RoundPair[])[], share: number, seed: number): Estimate {
  const counted = groups.map((group) => group.map(([of, to]) => [new Counted(of), new Counted(to)] as const));
  const side = (rounds: readonly (readonly [Counted, Counted])[], which: 0 | 1): number =>
    quantileOf(
      rounds.map((round) => round[which]),
      share,
    );
  return resampled(counted, (rounds) => side(rounds, 0) / side(rounds, 1), seed);
}

/** The figure of all rounds, with its interval: processes are drawn first, then rounds of each. */
function resampled<Round>(
  groups: readonly (readonly Round[])[],
  figureOf: (rounds: readonly Round[]) => number,
  seed: number,
): Estimate {
  const rounds = groups.flat();
  const value = figureOf(rounds);
  if (rounds.length < 2) return { value, low: value, high: value };
  const random = seededRandom(seed);
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const found = Array.from({ length: resamples }, () =>
    figureOf(
      groups.flatMap(() => {
        const group = one(groups);
        return group.map(() => one(group));
      }),
    ),
  );
  // Few rounds resampled give too narrow an interval; what each round said by itself stands in for what is not known.
  const each = rounds.length < leastForBootstrap ? rounds.map((round) => figureOf([round])) : [];
  return { value, low: Math.min(quantile(found, 0.025), ...each), high: Math.max(quantile(found, 0.975), ...each) };
}

/** The upper end of one round's samples, from the largest down: no more of it is needed for a quantile of the tail. */
class Counted {
  readonly count: number;
  readonly upper: readonly (readonly [value: number, count: number])[];

  constructor(samples: Samples) {
    this.count = samples.count;
    this.upper = samples.entries().reverse();
  }
}

function quantileOf(rounds: readonly Counted[], share: number): number {
  const count = rounds.reduce((sum, round) => sum + round.count, 0);
  let beyond = count - Math.max(1, Math.ceil(share * count));
  const at = rounds.map(() => 0);
  for (;;) {
    let largest = -1;
    let value = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < rounds.length; index++) {
      const entry = rounds[index]?.upper[at[index] ?? 0];
      if (entry !== undefined && entry[0] > value) {
        value = entry[0];
        largest = index;
      }
    }
    const entry = rounds[largest]?.upper[at[largest] ?? 0];
    if (entry === undefined) return Number.NaN;
    beyond -= entry[1];
    if (beyond < 0) return value;
    at[largest] = (at[largest] ?? 0) + 1;
  }
}
