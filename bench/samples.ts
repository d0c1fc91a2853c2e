/**
 * Samples of one metric: kept as they are while they are few, and as a histogram with buckets of equal relative width when they
 * are many. Every sample counts, outliers too. Histograms of rounds and processes are merged without loss.
 */

import type { EncodedSamples } from './report-schema.ts';

/** Buckets per doubling: a bucket is 0.5 % wide, so that no quantile is off by more than 0.25 %. */
const bucketsPerDoubling = 139;
/** So many are kept one by one. */
const maxRaw = 64;
/** For samples of zero and below, which have no logarithm. */
const zeroBucket = -1_000_000;

const bucketOf = (value: number): number =>
  value > 0 ? Math.round(Math.log2(value) * bucketsPerDoubling) : zeroBucket;
const middleOf = (bucket: number): number => (bucket === zeroBucket ? 0 : 2 ** (bucket / bucketsPerDoubling));

export class Samples {
  #raw: number[] = [];
  #buckets: Map<number, number> | undefined;
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  static of(values: Iterable<number>): Samples {
    const samples = new Samples();
    for (const value of values) samples.add(value);
    return samples;
  }

  static decode(encoded: EncodedSamples): Samples {
    if (encoded.raw !== undefined) return Samples.of(encoded.raw);
    const samples = new Samples();
    samples.#buckets = new Map(encoded.buckets);
    samples.#count = encoded.count;
    samples.#sum = encoded.sum;
    samples.#min = encoded.min;
    samples.#max = encoded.max;
    return samples;
  }

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#sum / this.#count;
  }

  get min(): number {
    return this.#min;
  }

  get max(): number {
    return this.#max;
  }

  add(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`A sample must be a finite number, not ${value}.`);
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (this.#buckets === undefined) {
      this.#raw.push(value);
      if (this.#raw.length > maxRaw) this.#toBuckets();
    } else this.#fill(value, 1);
  }

  /** Takes in all of another one's. */
  merge(other: Samples): void {
    if (other.#buckets === undefined) {
      for (const value of other.#raw) this.add(value);
      return;
    }
    this.#toBuckets();
    for (const [bucket, count] of other.#buckets) {
      this.#buckets?.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /** The smallest sample that at least this share of all samples do not exceed. NaN without samples. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let passed = 0;
    for (const [value, count] of this.entries()) {
      passed += count;
      if (passed >= rank) return value;
    }
    return Number.NaN;
  }

  /** Values and how often each occurred, ascending. */
  entries(): [value: number, count: number][] {
    if (this.#buckets === undefined) {
      return this.#raw.toSorted((a, b) => a - b).map((value) => [value, 1]);
    }
    return [...this.#buckets].sort(([a], [b]) => a - b).map(([bucket, count]) => [this.#valueOf(bucket), count]);
  }

  encode(): EncodedSamples {
    if (this.#buckets === undefined) return { raw: [...this.#raw] };
    const buckets = [...this.#buckets].sort(([a], [b]) => a - b);
    return { count: this.#count, sum: this.#sum, min: this.#min, max: this.#max, buckets };
  }

  #valueOf(bucket: number): number {
    return Math.min(this.#max, Math.max(this.#min, middleOf(bucket)));
  }

  #fill(value: number, times: number): void {
    const bucket = bucketOf(value);
    this.#buckets?.set(bucket, (this.#buckets.get(bucket) ?? 0) + times);
  }

  #toBuckets(): void {
    if (this.#buckets !== undefined) return;
    this.#buckets = new Map();
    for (const value of this.#raw) this.#fill(value, 1);
    this.#raw = [];
  }
}
