/**
 * Whether a grant allows a call, for every way in: the carriage, MCP over libp2p, Python's sessions. Called with the checked
 * input, in front of the node's own operations. The caller is the connection's peer id; nothing in the input gives rights.
 */

import { MeshError } from '../../mesh/errors.ts';
import { everything, type Grant, hasName, hasPrefix } from '../../mesh/grant.ts';
import type { Scope } from '../../mesh/operation.ts';
import { type CheckedInput, type OperationName, operationEntry } from '../../mesh/operations.ts';

/** What of a task's people the caller must be: whoever submitted it, or also whoever holds its lease. */
export type MustBe = 'submitter' | 'involved';

export interface Allowed<Name extends OperationName> {
  /** The input, narrowed to what the grant allows where it asked for "any". */
  readonly input: CheckedInput<Name>;
  /** The queue has to see who submitted the task, and refuses it to others. */
  readonly mustBe?: MustBe;
  /** What a claim asked for besides, and does not get. */
  readonly leftOut?: MeshError;
}

type Rule = (grant: Grant, input: Record<string, unknown>, name: OperationName) => Partial<Allowed<never>> | undefined;

/** Throws `unauthorized`, with the missing field of the grant in its details. */
export function allow<Name extends OperationName>(grant: Grant, name: Name, input: CheckedInput<Name>): Allowed<Name> {
  const rule = name === 'status' ? undefined : rules[operationEntry(name).scope];
  return { input, ...(rule?.(grant, input, name) as Partial<Allowed<Name>> | undefined) };
}

/** The names of the tools that the grant opens, of those that the node offers. */
export function grantedTools(grant: Grant, offered: readonly string[]): string[] {
  return offered.filter((name) => hasName(grant.tools, name));
}

/** What each scope of the table of operations needs. `status` needs nothing: whoever is served may ask who serves. */
const rules: Readonly<Record<Scope, Rule>> = {
  'queue:submit': ({ submit }, input) => {
    const works = (input.tasks ?? [input]) as readonly { task_type: string }[];
    for (const { task_type } of works)
      if (!hasName(submit, task_type)) throw missing('submit', task_type, `submit tasks of the type "${task_type}"`);
    return undefined;
  },
  'queue:work': ({ work }, input, name) => {
    if (name === 'claim') return narrowed(work, input);
    if (work.length === 0) throw missing('work', everything, 'work on tasks');
    return undefined;
  },
  'queue:read': ({ see }) => reach('see', see, 'look at tasks', 'involved'),
  'queue:cancel': ({ cancel }) => reach('cancel', cancel, 'cancel or retry tasks', 'submitter'),
  'tools:call': ({ tools }, input) => {
    const tool = String(input.tool_name);
    if (!hasName(tools, tool)) throw missing('tools', tool, `call the tool "${tool}", should it have one`);
    return undefined;
  },
  'cache:read': ({ cache_read }, input) => ofKey('cache_read', cache_read, String(input.key), 'read'),
  'cache:write': ({ cache_write }, input) => ofKey('cache_write', cache_write, String(input.key), 'change'),
  // No peer may ask these at all: the table has them as not remote.
  'peers:read': () => undefined,
  'peers:connect': () => undefined,
};

/** A claim for any type, or for several, gets what of them is allowed; a worker asks many nodes with one list. */
function narrowed(work: readonly string[], input: Record<string, unknown>): Partial<Allowed<never>> | undefined {
  if (work.includes(everything)) return undefined;
  const wanted = input.supported_task_types as readonly string[];
  const types = wanted.length === 0 ? work : wanted.filter((type) => work.includes(type));
  const refused = wanted.filter((type) => !work.includes(type));
  if (types.length === 0) throw mayNotClaim(refused);
  const narrow = { input: { ...input, supported_task_types: [...types] } as never };
  return refused.length === 0 ? narrow : { ...narrow, leftOut: mayNotClaim(refused) };
}

function mayNotClaim(types: readonly string[]): MeshError {
  const [first = everything, another] = types;
  if (types.length === 0) return missing('work', everything, 'work on tasks');
  if (another === undefined) return missing('work', first, `claim tasks of the type "${first}"`);
  const named = types.map((type) => `"${type}"`).join(', ');
  return missing('work', first, `claim tasks of the types ${named}`, { task_types: types });
}

function reach(field: 'see' | 'cancel', has: Grant['see'], what: string, mustBe: MustBe) {
  if (has === 'none') throw missing(field, 'own', what);
  return has === 'own' ? { mustBe } : undefined;
}

function ofKey(field: 'cache_read' | 'cache_write', prefixes: readonly string[], key: string, verb: string): undefined {
  if (hasPrefix(prefixes, key)) return undefined;
  throw missing(field, key, `${verb} the key "${key.slice(0, 100)}" of its cache`);
}

/** The refusal; who hands it to a peer adds what would have to be granted where (`remedy.ts`). */
function missing(field: keyof Grant, value: string, what: string, more: Record<string, unknown> = {}): MeshError {
  return new MeshError('unauthorized', `The node does not let this peer ${what}.`, {
    details: { grant: field, value, ...more },
  });
}
