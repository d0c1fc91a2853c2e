/**
 * JSON as a Python node writes and reads it. Used by both directions of the Python wire.
 *
 * Python writes non-ASCII as `\uXXXX`, and floats with a point (`10.0`); this writer does the same, so that the bytes are the same.
 * Its reader takes what is no JSON (`NaN`, `Infinity`) and integers of any size. A JavaScript number would silently become
 * another one, so both are refused, with the reason.
 */

import { MeshError } from '../../mesh/errors.ts';
import { BrokenFrameError } from '../../rpc/frames.ts';

/** Not in the checker's library yet; both runtimes have it. Source: https://tc39.es/proposal-json-parse-with-source */
const withSource = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
};

/** From here on Python writes an exponent; the value is read the same either way. */
const plainFloats = 1e16;

/** A number that Python reads as a float, even when it is whole: times and durations. */
export function float(value: number): unknown {
  return Number.isInteger(value) && Math.abs(value) < plainFloats ? withSource.rawJSON(`${value}.0`) : value;
}

/** A time that may be missing. */
export function floatOrNull(value: number | null): unknown {
  return value === null ? null : float(value);
}

const beyondAscii = /[\u007f-\uffff]/g;

/** JSON text of ASCII characters only. */
export function asciiJson(value: unknown): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(beyondAscii, escaped);
}

/** A quick look for numbers that a JavaScript number might not hold: most texts have none and are parsed once. */
const suspicious = /\d{16}|\d[eE]\+?\d{3}/;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Python wrote a number that JSON does not have. Its author has to hear which. */
export class NotANumberError extends BrokenFrameError {
  constructor(word: string, cause: unknown) {
    const instead = 'Send null, or the word as text (in Python, json.dumps(…, allow_nan=False) finds it).';
    super('invalid_json', `${word} is not JSON. ${instead}`, { cause });
  }
}

export interface PythonJson {
  readonly value: unknown;
  /** Why the value is not what was sent; it must not be stored or handed on. */
  readonly hazard?: MeshError;
}

/** Throws `BrokenFrameError` with the word `invalid_json` for what is no UTF-8 JSON. */
export function parsePythonJson(body: Uint8Array): PythonJson {
  let text = '';
  try {
    text = decoder.decode(body);
    const value: unknown = JSON.parse(text);
    const lost = suspicious.test(text) ? lostNumber(text) : undefined;
    return lost === undefined ? { value } : { value, hazard: unsafeNumber(lost) };
  } catch (cause) {
    const word = /(?<=[[:,]\s*)-?(?:NaN|Infinity)\b/.exec(text)?.[0];
    if (word !== undefined) throw new NotANumberError(word, cause);
    throw new BrokenFrameError('invalid_json', 'The bytes are not UTF-8 JSON.', { cause });
  }
}

/** The first number that a JavaScript number does not hold: a whole one beyond 2^53, or one beyond the greatest float. */
function lostNumber(text: string): string | undefined {
  let lost: string | undefined;
  withSource.parse(text, (_key, value, { source = '' }) => {
    if (typeof value !== 'number' || lost !== undefined) return value;
    const whole = /^-?\d+$/.test(source);
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) lost = source;
    return value;
  });
  return lost;
}

function unsafeNumber(source: string): MeshError {
  return new MeshError(
    'invalid_params',
    `The number ${source.slice(0, 40)} is beyond what a JavaScript number holds (whole numbers up to 2^53). Send it as text.`,
  );
}
