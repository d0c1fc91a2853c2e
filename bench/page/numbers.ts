/** Numbers as the report prints them: three digits that mean something, with their unit, and the interval in brackets. */

import type { Estimate } from '../suite.ts';

/** Three significant digits, thousands with a thin space: `0.123`, `12.3`, `1 230`. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  if (value > 0 && value < 0.001) return '<0.001';
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size >= 1000) return String(Math.round(rounded)).replace(/\B(?=(\d{3})+$)/g, '\u2009');
  return rounded.toFixed(
    size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : Math.min(4, 2 - Math.floor(Math.log10(size))),
  );
}

/** `21.3 (20.9–22.1)`; the value alone where the interval has no width. */
export function withInterval({ value, low, high }: Estimate): string {
  const [from, to] = [number(low), number(high)];
  return from === to ? number(value) : `${number(value)} (${from}–${to})`;
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
