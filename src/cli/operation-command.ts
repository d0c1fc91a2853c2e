/** Makes commands from the table of operations. */

import { type OperationInput, type OperationName, type OperationOutput, operationEntry } from '../mesh/operations.ts';
import type { Command, CommandCall, Outcome, Positional } from './command.ts';
import { type Field, fieldsOf, flagOf, readField } from './fields.ts';
import type { Flag } from './flags.ts';
import { show } from './show.ts';

/** What the command line adds to an operation: names, places of arguments, examples. */
export interface OperationCommand {
  readonly operation: OperationName;
  /** Default: the operation's name with hyphens. */
  readonly name?: string;
  readonly group: Command['group'];
  readonly positionals?: readonly Positional[];
  readonly description?: string;
  /** Other words for a field's default, where the command does not do what the operation does. */
  readonly defaultTexts?: Readonly<Record<string, string>>;
  /** Flags of the command's own. */
  readonly flags?: Readonly<Record<string, Flag>>;
  readonly examples: readonly string[];
  /** In place of one call of the operation. */
  readonly run?: (call: CommandCall, input: Record<string, unknown>) => Promise<Outcome>;
  /** 1 where the answer means "no". */
  readonly exitCode?: (output: Record<string, unknown>) => number;
}

export function operationCommand(made: OperationCommand): Command {
  const { operation, positionals = [] } = made;
  const fields = fieldsOf(operation);
  const byPosition = new Set(positionals.filter(({ required }) => required).map(({ name }) => name));
  const hasTarget = fields.some(({ name }) => name === 'remote_peer_id');
  const placed = new Set(positionals.map(({ name }) => name));
  // A positional argument, and --peer, are the short ways to say the same.
  const isHidden = ({ name }: Field): boolean => placed.has(name) || (hasTarget && targetFields.has(name));
  const flags = Object.fromEntries(
    fields
      .filter(({ name }) => !byPosition.has(name))
      .map((field) => [
        field.flag,
        {
          ...flagOf(field),
          ...(made.defaultTexts?.[field.name] === undefined ? {} : { defaultText: made.defaultTexts[field.name] }),
          ...(isHidden(field) ? { hidden: true } : {}),
        } as Flag,
      ]),
  );
  const summaries = new Map(fields.map(({ name, summary }) => [name, summary]));
  return {
    name: made.name ?? operation.replaceAll('_', '-'),
    group: made.group,
    summary: operationEntry(operation).summary,
    ...(made.description === undefined ? {} : { description: made.description }),
    positionals: positionals.map((positional) => ({ summary: summaries.get(positional.name) ?? '', ...positional })),
    flags: { ...(hasTarget ? { peer: { ...peerFlag, hidden: placed.has('peer') } } : {}), ...made.flags, ...flags },
    needs: 'client',
    examples: made.examples,
    async run(call) {
      const input = await inputOf(fields, call);
      return made.run === undefined ? await callOnce(made, call, input) : await made.run(call, input);
    },
  };
}

const targetFields: ReadonlySet<string> = new Set(['remote_peer_id', 'remote_multiaddr']);

const peerFlag: Flag = {
  kind: 'text',
  summary:
    'The node to ask: its peer id, or a multiaddr that ends in /p2p/<peer id>. Without it: the node at --url, or the task’s owner.',
  placeholder: 'PEER',
};

/** The operation's input from flags and positional arguments; `--peer` becomes one of the two target fields. */
async function inputOf(fields: readonly Field[], call: CommandCall): Promise<Record<string, unknown>> {
  const input: Record<string, unknown> = {};
  const sources = { stdin: call.context.stdin, folder: call.context.folder };
  for (const field of fields) {
    const placed = call.arguments[field.name];
    const written = placed?.length ? (field.type === 'list' ? placed : placed[0]) : call.flags[field.flag];
    if (written !== undefined) input[field.name] = await readField(field, written, sources);
  }
  const peer = call.flags.peer ?? call.arguments.peer?.[0];
  if (typeof peer === 'string') input[peer.startsWith('/') ? 'remote_multiaddr' : 'remote_peer_id'] = peer;
  return input;
}

async function callOnce(made: OperationCommand, call: CommandCall, input: Record<string, unknown>): Promise<Outcome> {
  const output = await callOperation(call, made.operation, input);
  const text = show(made.operation, output, { style: call.style, nowS: call.clock.nowMs() / 1000 });
  return { answer: { ok: true, ...output }, text, exitCode: made.exitCode?.(output) ?? 0 };
}

/** Calls the operation with an input as it was written; the mesh checks it. */
export async function callOperation<Name extends OperationName>(
  call: CommandCall,
  operation: Name,
  input: Record<string, unknown>,
): Promise<OperationOutput<Name>> {
  const mesh = await call.mesh();
  return await mesh.call(operation, input as OperationInput<Name>, { signal: call.signal });
}
