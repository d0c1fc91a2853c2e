/**
 * The one place where an operation's input is checked: nesting, then schema, then sizes.
 */

import type { z } from 'zod';
import { MeshError } from './errors.ts';
import type { Limits } from './limits.ts';
import { type CheckedInput, type OperationName, operationEntry } from './operations.ts';

/** Which free-form fields have which size limit. */
const sized: ReadonlyArray<
  readonly [field: string, limit: 'maxPayloadBytes' | 'maxResultBytes' | 'maxNoteBytes' | 'maxCacheValueBytes']
> = [
  ['payload', 'maxPayloadBytes'],
  ['args', 'maxPayloadBytes'],
  ['result', 'maxResultBytes'],
  ['progress', 'maxNoteBytes'],
  ['value', 'maxCacheValueBytes'],
];

/**
 * Fills in defaults and answers the input as the operation's schema types it.
 *
 * Throws `invalid_params`, `payload_too_large` or `too_deep`.
 */
export function checkInput<Name extends OperationName>(name: Name, input: unknown, limits: Limits): CheckedInput<Name> {
  checkDepth(input, limits.maxJsonDepth);
  const parsed = operationEntry(name).input.safeParse(input ?? {});
  if (!parsed.success) throw invalidParams(operationEntry(name).tool, parsed.error);
  checkSizes(parsed.data, limits);
  if (name === 'submit_many')
    for (const work of parsed.data.tasks as Record<string, unknown>[]) checkSizes(work, limits);
  return parsed.data as CheckedInput<Name>;
}

/** Throws `too_deep` when objects and arrays are nested more than `maxDepth` levels. Does not recurse. */
export function checkDepth(value: unknown, maxDepth: number): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) {
      throw new MeshError(
        'too_deep',
        `The JSON is nested more than ${maxDepth} levels deep. Flatten it, or send the inner part as text.`,
      );
    }
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      for (const child of Array.isArray(item) ? item : Object.values(item)) {
        if (typeof child === 'object' && child !== null) next.push(child);
      }
    }
    level = next;
  }
}

/** Bytes of a value as UTF-8 JSON. Throws `invalid_params` for what JSON cannot hold. */
export function jsonBytes(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value) ?? '');
  } catch (cause) {
    throw new MeshError(
      'invalid_params',
      'The value cannot be written as JSON (a cycle or a bigint?). Send plain JSON.',
      { cause },
    );
  }
}

function checkSizes(input: Record<string, unknown>, limits: Limits): void {
  for (const [field, limit] of sized) {
    const value = input[field];
    if (value === undefined || value === null || typeof value === 'number' || typeof value === 'boolean') continue;
    const bytes = jsonBytes(value);
    if (bytes > limits[limit]) {
      throw new MeshError(
        'payload_too_large',
        `${field} is ${bytes} bytes of JSON; at most ${limits[limit]} are allowed. Put large data where both sides can reach it and send its address.`,
        { details: { field, bytes, max_bytes: limits[limit] } },
      );
    }
  }
}

function invalidParams(tool: string, error: z.ZodError): MeshError {
  const issues = error.issues
    .slice(0, 5)
    .map((issue) => ({ path: issue.path.join('.'), problem: issue.message.replace(/\.$/, '') }));
  const text = issues.map(({ path, problem }) => (path === '' ? problem : `${path}: ${problem}`)).join('; ');
  return new MeshError('invalid_params', `The input of ${tool} does not fit: ${text}.`, { details: { issues } });
}
