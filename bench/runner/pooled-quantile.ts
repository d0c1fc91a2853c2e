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
  const value = quantileOf(counted.flat(), share);
  if (counted.flat().length < 2) return { value, low: value, high: value };
  const random = seededRandom(seed);
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const found = Array.from({ length: resamples }, () => {
    const chosen = counted.flatMap(() => {
      const group = one(counted);
      return group.map(() => one(group));
    });
    return quantileOf(chosen, share);
  });
  const rounds = counted.flat();
  // Few rounds resampled give too narrow an interval; what each round said by itself stands in for what is not known.
  const each = rounds.length < leastForBootstrap ? rounds.map((round) => quantileOf([round], share)) : [];
  return { value, low: Math.min(quantile(found, 0.025), ...each), high: Math.max(quantile(found, 0.975), ...each) };
}

/** One round of both sides. */
export type RoundPair = readonly [of: Samples, to: Samples];

/** `of ÷ to` of the quantiles. `groups`: the rounds that both sides have, those of one process together; at least one. */
export function pooledRatio(groups: readonly (readonly RoundPair[])[], share: number, seed: number): Estimate {
  const counted = groups.map((group) => group.map((pair) => pair.map((samples) => new Counted(samples))));
  const ratioOf = (rounds: readonly (readonly Counted[])[]): number => {
    const [of, to] = [0, 1].map((side) =>
      quantileOf(
        rounds.flatMap((round) => round[side] ?? []),
        share,
      ),
    );
    return (of ?? Number.NaN) / (to ?? Number.NaN);
  };
  const rounds = counted.flat();
  const value = ratioOf(rounds);
  if (rounds.length < 2) return { value, low: value, high: value };
  const random = seededRandom(seed);
  const one = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const found = Array.from({ length: resamples }, () =>
    ratioOf(
      counted.flatMap(() => {
        const group = one(counted);
        return group.map(() => one(group));
      }),
    ),
  );
  const each = rounds.length < leastForBootstrap ? rounds.map((round) => ratioOf([round])) : [];
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
