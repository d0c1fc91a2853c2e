/** Lays out rows and blocks of text for people. */

import { stripVTControlCharacters } from 'node:util';
import { printable } from './style.ts';

/** Columns as wide as their widest cell, two spaces apart; the last one is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : pad(cell, widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Names and values below each other; those without a value are left out. */
export function block(lines: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = lines.filter((line): line is readonly [string, string] => line[1] !== undefined && line[1] !== '');
  const widest = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${pad(name, widest)}  ${indent(value, widest + 2)}`).join('\n');
}

/** A value from elsewhere: texts as they are, everything else as JSON that can be read. */
export function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return printable(value);
  const short = JSON.stringify(value);
  return printable(short.length <= 80 ? short : JSON.stringify(value, null, 2));
}

/** Data from elsewhere as an outline: fields below each other, lists an entry a line, what is empty left out. */
export function outline(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const entries = value.map((entry) => outline(entry)).filter((entry) => entry !== undefined && entry !== '');
    return entries.join(value.some((entry) => typeof entry === 'object') ? '\n\n' : '\n');
  }
  if (typeof value !== 'object' || value === null) return valueText(value);
  return block(Object.entries(value).map(([name, field]) => [printable(name.replaceAll('_', ' ')), outline(field)]));
}

/** `0.42 s`, `3 min 5 s`, `2 h 1 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} days`;
}

function indent(text: string, by: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(by)}`);
}

function pad(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}
