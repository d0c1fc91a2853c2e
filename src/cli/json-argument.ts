/** Reads an argument that is JSON: written out, in a file (`@path`), or on standard input (`-`). */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defaultLimits } from '../mesh/limits.ts';
import { UsageError } from './usage-error.ts';

export interface Sources {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Relative paths start here. */
  readonly folder: string;
}

/** More than any field may hold: reading goes no further. */
const maxBytes = 2 * defaultLimits.maxPayloadBytes;

/**
 * A file or input that is no JSON is a text; `wrapText` makes `{"text": …}` of it, which is what workers expect as a payload.
 * Throws `UsageError`.
 */
export async function readJson(name: string, written: string, wrapText: boolean, sources: Sources): Promise<unknown> {
  if (written !== '-' && !written.startsWith('@')) {
    try {
      return JSON.parse(written);
    } catch {
      throw new UsageError(
        `${name} is not JSON: ${written}. Write a text with its quotes, as in '"hello"', or give a file as @path.`,
      );
    }
  }
  const text = written === '-' ? await readAll(name, sources.stdin) : await readPath(name, written.slice(1), sources);
  try {
    return JSON.parse(text);
  } catch {
    return wrapText ? { text } : text;
  }
}

async function readPath(name: string, path: string, { folder }: Sources): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(resolve(folder, path));
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new UsageError(`${name} cannot be read from ${path}: ${why}.`);
  }
  if (bytes.length > maxBytes) throw tooBig(name);
  return decode(name, bytes);
}

async function readAll(name: string, stdin: Sources['stdin']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    bytes += part.length;
    if (bytes > maxBytes) throw tooBig(name);
    chunks.push(part);
  }
  return decode(name, Buffer.concat(chunks));
}

function decode(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(
      `${name} is neither JSON nor text in UTF-8. Put the file where the worker can reach it and send its address.`,
    );
  }
}

function tooBig(name: string): UsageError {
  return new UsageError(
    `${name} is over ${defaultLimits.maxPayloadBytes} bytes. Put large data where both sides can reach it and send its address.`,
  );
}
