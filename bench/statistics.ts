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
export const leastRounds = 3;
/** From so many rounds on the interval is by bootstrap. */
const leastForBootstrap = 6;
/** The interval's share, in the report called "95 %". */
const confidence = 0.95;

/** Fewer samples beyond a quantile of the tail are chance: what is called p99 of 60 samples is their largest. */
const leastBeyond = 5;

/** Whether so many samples tell a quantile. */
export const isTold = (count: number, share: number): boolean =>
  share <= 0.9 ? count > 0 : Math.round(count * (1 - share) * 1e6) / 1e6 >= leastBeyond;

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

/**
 * The median of all rounds with its 95 % interval; the same seed gives the same one. With few rounds the bootstrap's interval
 * would be too narrow (the range of three rounds holds the median 75 times in 100), so it is Student's then.
 */
export function estimate(rounds: Rounds, seed = 1): Estimate {
  const groups = rounds.map((group) => group.filter(Number.isFinite)).filter((group) => group.length > 0);
  const all = groups.flat();
  const value = median(all);
  if (all.length < 2) return { value, low: value, high: value };
  if (all.length < leastForBootstrap) return { value, ...studentInterval(all, value) };
  const random = seededRandom(seed);
  const medians = Array.from({ length: resamples }, () =>
    median(pick(groups, random).flatMap((group) => pick(group, random))),
  );
  const tail = (1 - confidence) / 2;
  return { value, low: quantile(medians, tail), high: quantile(medians, 1 - tail) };
}

/** 97.5 % quantiles of Student's distribution, by degrees of freedom from 1 on. */
const student = [12.706, 4.303, 3.182, 2.776] as const;

/** Around the mean, on logarithms where that is possible, because lengths of time and rates vary by factors. Holds `value`. */
function studentInterval(values: readonly number[], value: number): { low: number; high: number } {
  const isPositive = values.every((each) => each > 0);
  const scaled = isPositive ? values.map(Math.log) : values;
  const mean = scaled.reduce((sum, each) => sum + each, 0) / scaled.length;
  const variance = scaled.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (scaled.length - 1);
  const half = (student[scaled.length - 2] ?? student[0]) * Math.sqrt(variance / scaled.length);
  const back = isPositive ? Math.exp : (each: number): number => each;
  return { low: Math.min(value, back(mean - half)), high: Math.max(value, back(mean + half)) };
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

/**
 * The ratio of two sides that did not run in turns, such as two reports. Its interval is made of those of the sides: how far each
 * may be off, as a factor, squared and added. Undefined when a side may be zero or less.
 */
export function unpairedRatio(of: Rounds, to: Rounds, seed = 1): RatioEstimate | undefined {
  const counts = [of, to].map((side) => side.flat().filter(Number.isFinite).length);
  if (Math.min(...counts) === 0) return undefined;
  return ratioOfEstimates(estimate(of, seed), estimate(to, seed), Math.min(...counts));
}

/** The same of sides whose estimates are known, from so many rounds at least. */
export function ratioOfEstimates(one: Estimate, other: Estimate, rounds: number): RatioEstimate | undefined {
  // A difference that may be zero or less, such as a part of a whole that is smaller than the noise, has no ratio to speak of.
  if (one.low <= 0 || other.low <= 0) return undefined;
  const value = one.value / other.value;
  const factor = (up: number, down: number): number => Math.exp(Math.hypot(Math.log(up), Math.log(down)));
  const low = value / factor(one.value / one.low, other.high / other.value);
  const high = value * factor(one.high / one.value, other.value / other.low);
  const ratio = { value, low, high };
  return { ...ratio, verdict: rounds >= leastRounds ? verdictOf(ratio) : 'same' };
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
