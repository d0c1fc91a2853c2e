/**
 * What the report says of rounds: medians, and intervals by bootstrap. Rounds come grouped by the process that ran them, because
 * two processes of the same program differ by more than two rounds of one: processes are resampled first, then their rounds.
 */

import { type RandomSource, seededRandom } from './random.ts';
import type { Estimate, RatioEstimate } from './suite.ts';

/** One figure per round, the rounds of one process together; NaN for a round that failed. */
export type Rounds = readonly (readonly number[])[];

const resamples = 1_000;
/** Fewer show nothing, whatever they are. */
const leastRounds = 3;
/** The interval's share, in the report called "95 %". */
const confidence = 0.95;

/** With linear interpolation between neighbours. NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

const pick = <Item>(items: readonly Item[], random: RandomSource): Item[] =>
  items.map(() => items[Math.floor(random() * items.length)] as Item);

/** The median of all rounds and its bootstrap interval; the same seed gives the same interval. */
export function estimate(rounds: Rounds, seed = 1): Estimate {
  const groups = rounds.map((group) => group.filter(Number.isFinite)).filter((group) => group.length > 0);
  const value = median(groups.flat());
  if (groups.flat().length < 2) return { value, low: value, high: value };
  const random = seededRandom(seed);
  const medians = Array.from({ length: resamples }, () =>
    median(pick(groups, random).flatMap((group) => pick(group, random))),
  );
  const tail = (1 - confidence) / 2;
  return { value, low: quantile(medians, tail), high: quantile(medians, 1 - tail) };
}

/** `of ÷ to` of the rounds that both sides have, round by round. */
export function ratios(of: Rounds, to: Rounds): number[][] {
  return of.map((group, process) =>
    group.flatMap((value, round) => {
      const other = to[process]?.[round];
      return other === undefined || !Number.isFinite(value / other) ? [] : [value / other];
    }),
  );
}

/** The ratio of two sides, with its interval and what it shows. Undefined when no round has both sides. */
export function ratioEstimate(of: Rounds, to: Rounds, seed = 1): RatioEstimate | undefined {
  const each = ratios(of, to);
  const count = each.flat().length;
  if (count === 0) return undefined;
  const found = estimate(each, seed);
  return { ...found, verdict: count < leastRounds ? 'same' : verdictOf(found) };
}

/** The ratio of two sides that did not run in turns, such as two reports: each side is resampled by itself. */
export function unpairedRatio(of: Rounds, to: Rounds, seed = 1): RatioEstimate | undefined {
  const sides = [of, to].map((side) =>
    side.map((group) => group.filter(Number.isFinite)).filter(({ length }) => length > 0),
  );
  const [one = [], other = []] = sides;
  if (one.length === 0 || other.length === 0) return undefined;
  const random = seededRandom(seed);
  const resampled = (side: Rounds): number => median(pick(side, random).flatMap((group) => pick(group, random)));
  const found = Array.from({ length: resamples }, () => resampled(one) / resampled(other));
  const value = median(one.flat()) / median(other.flat());
  const tail = (1 - confidence) / 2;
  const ratio = { value, low: quantile(found, tail), high: quantile(found, 1 - tail) };
  const isEnough = Math.min(one.flat().length, other.flat().length) >= leastRounds;
  return { ...ratio, verdict: isEnough ? verdictOf(ratio) : 'same' };
}

/** Below this no difference is spoken of, however narrow its interval: two processes of one program differ by as much. */
const leastEffect = 1.01;

/**
 * Nothing was seen when the interval holds 1, when it is wider than the effect itself (both as factors: from 1.2 to 1.8 is as
 * wide as 1.5, so an effect of 1.4 would not count), or when the effect is below 1 %.
 */
export function verdictOf({ value, low, high }: Estimate): RatioEstimate['verdict'] {
  const effect = Math.abs(Math.log(value));
  if ((low <= 1 && high >= 1) || effect < Math.log(leastEffect)) return 'same';
  if (Math.log(high / low) > effect) return 'same';
  return value < 1 ? 'less' : 'more';
}
