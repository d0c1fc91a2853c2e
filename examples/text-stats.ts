/**
 * A program for `taskmesh work --type text.stats --exec ./examples/text-stats.ts`: reads a payload `{"text": …}` (or a bare
 * string) from standard input and answers counts. Runs on Node and on Deno.
 */

import process from 'node:process';
import { text } from 'node:stream/consumers';

const payload: unknown = JSON.parse(await text(process.stdin));
const input = typeof payload === 'string' ? payload : (payload as { text?: unknown } | null)?.text;
if (typeof input !== 'string') {
  console.error('The payload has no text. Submit a string, {"text": "…"} or @file.');
  process.exit(65);
}

const lines = input.split('\n');
let words = 0;
let longest: string[] = [];
for (const [index, line] of lines.entries()) {
  const inLine = line.match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? [];
  words += inLine.length;
  longest = [...new Set([...longest, ...inLine])].sort((a, b) => b.length - a.length).slice(0, 5);
  // A line on standard error is progress for those who wait.
  if (index % 1000 === 0) console.error(JSON.stringify({ progress: { lines: index, of: lines.length } }));
}
console.log(JSON.stringify({ characters: [...input].length, words, lines: lines.length, longest }));
