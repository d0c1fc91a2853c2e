/**
 * What an entry of the table of operations is made of, and the pieces that many inputs share.
 */

import { z } from 'zod';

/** What a caller must be allowed to do. Grants are given per scope. */
export type Scope =
  | 'queue:read'
  | 'queue:submit'
  | 'queue:work'
  | 'queue:cancel'
  | 'peers:read'
  | 'peers:connect'
  | 'tools:call'
  | 'cache:read'
  | 'cache:write';

export interface Operation<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodObject = z.ZodObject> {
  /** Name as an MCP tool and on the wire between peers. */
  readonly tool: string;
  /** Name for people, in a client's list of tools. */
  readonly title: string;
  /** One line, for the command line's help. */
  readonly summary: string;
  /** For a model that has to decide whether and how to call the tool. */
  readonly description: string;
  readonly input: Input;
  /** The answer without its `ok: true`. */
  readonly output: Output;
  readonly hints: {
    /** Changes nothing. */
    readonly readOnly: boolean;
    /** Calling it twice with the same input does what calling it once does: the bridge may retry it by itself. */
    readonly idempotent: boolean;
    /** May end or remove something of someone's. */
    readonly destructive: boolean;
  };
  readonly scope: Scope;
  /** Whether one peer may ask it of another. */
  readonly remote: boolean;
  /** Milliseconds that the call itself may spend waiting; its deadline is longer by this. */
  waitMs?(input: z.output<Input>): number;
  /** Milliseconds that the whole call may take, where the input says so itself. */
  deadlineMs?(input: z.output<Input>): number;
}

/** Keeps an entry's exact types. */
export function operation<Input extends z.ZodObject, Output extends z.ZodObject>(
  entry: Operation<Input, Output>,
): Operation<Input, Output> {
  return entry;
}

/** Which node is asked. All empty: this one, or the owner that the task id names. */
export const target = {
  remote_peer_id: z
    .string()
    .max(200)
    .default('')
    .describe('Peer id of the node to ask. Empty: this node, or the task’s owner.'),
  remote_multiaddr: z
    .string()
    .max(1000)
    .default('')
    .describe('Multiaddr of the node to ask, ending in /p2p/<peer id>; it is dialled if need be. Empty: not needed.'),
};

/** The Python node's tools call the target `peer_id` here; both names work. */
export const targetByPeerId = {
  ...target,
  peer_id: z.string().max(200).default('').describe('The same as remote_peer_id.'),
};

/** A duration in seconds; fractions allowed. */
export function seconds(max: number, min = 0): z.ZodNumber {
  return z.number().min(min).max(max);
}

/** Fields of an input that name its target. */
export interface Target {
  remote_peer_id: string;
  remote_multiaddr: string;
  peer_id?: string;
}
