/**
 * An operation's input as flags, made from its schema: `max_attempts` is `--max-attempts`. Called when the table of commands
 * is made, and to turn what was written into the operation's input.
 */

import { inputJsonSchema } from '../mesh/answer.ts';
import type { OperationName } from '../mesh/operations.ts';
import type { Flag, FlagValue } from './flags.ts';
import { readJson, type Sources } from './json-argument.ts';
import { UsageError } from './usage-error.ts';

export interface Field {
  /** The input's own name. */
  readonly name: string;
  /** The flag's name. */
  readonly flag: string;
  readonly type: 'text' | 'number' | 'switch' | 'list' | 'json';
  readonly summary: string;
  readonly default: unknown;
}

interface Property {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
}

const types: Readonly<Record<string, Field['type']>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'switch',
};

/** All fields but `peer_id`, which is `remote_peer_id` under another name. */
export function fieldsOf(operation: OperationName): Field[] {
  const properties = inputJsonSchema(operation).properties as Record<string, Property>;
  return Object.entries(properties)
    .filter(([name]) => name !== 'peer_id')
    .map(([name, property]) => ({
      name,
      flag: name.replaceAll('_', '-'),
      type: typeOf(property),
      summary: [property.description ?? '', property.enum === undefined ? '' : `One of ${property.enum.join(', ')}.`]
        .filter((text) => text !== '')
        .join(' '),
      default: property.default,
    }));
}

/** Lists of texts are repeated or have commas; everything else that is no plain value is JSON. */
function typeOf(property: Property): Field['type'] {
  const items = (property as { items?: Property }).items;
  if (property.type === 'array') return items?.type === 'string' ? 'list' : 'json';
  return types[property.type ?? ''] ?? 'json';
}

const placeholders: Readonly<Record<Field['type'], string>> = {
  text: 'TEXT',
  number: 'NUMBER',
  switch: '',
  list: 'TEXT',
  json: 'JSON',
};

export function flagOf(field: Field): Flag {
  const empty = field.default === undefined || field.default === '' || JSON.stringify(field.default) === '[]';
  return {
    kind: field.type === 'switch' ? 'switch' : field.type === 'list' ? 'list' : 'text',
    summary: field.summary,
    placeholder: field.name.endsWith('_s') ? 'SECONDS' : placeholders[field.type],
    ...(empty || field.type === 'switch' ? {} : { defaultText: JSON.stringify(field.default) }),
  };
}

/** Fields whose file or input may be a plain text: it becomes `{"text": …}`. */
const wrapped: ReadonlySet<string> = new Set(['payload', 'args']);

/** What was written, as the operation's schema wants it. Whether it fits is checked there. */
export async function readField(field: Field, written: FlagValue, sources: Sources): Promise<unknown> {
  if (field.type === 'switch') return readSwitch(field, written);
  if (field.type === 'list') {
    const texts = typeof written === 'string' ? [written] : (written as readonly string[]);
    return texts.flatMap((text) => text.split(',')).filter((text) => text !== '');
  }
  const text = String(written);
  if (field.type === 'number') return readNumber(field, text);
  if (field.type === 'json') return readJson(field.flag, text, wrapped.has(field.name), sources);
  return text;
}

function readNumber(field: Field, text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number)) {
    throw new UsageError(`${field.flag} must be a number, not "${text}".`);
  }
  return number;
}

function readSwitch(field: Field, written: FlagValue): boolean {
  if (typeof written === 'boolean') return written;
  if (written === 'true' || written === 'on') return true;
  if (written === 'false' || written === 'off') return false;
  throw new UsageError(`--${field.flag} is on or off, not "${written}".`);
}
