/**
 * The one table of operations. The MCP tools, the command line's commands, the bridge's messages and what one peer may ask
 * of another are all made from it, and from nothing else.
 */

import type { z } from 'zod';
import type { Operation } from './operation.ts';
import { cacheDelete, cacheGet, cacheHas, cacheSet } from './operations/cache.ts';
import { mcpRequest } from './operations/mcp.ts';
import { callTool, connect, discover, peers, status } from './operations/peers.ts';
import { cancel, get, list, retry, submit, submitMany, wait } from './operations/queue-submit.ts';
import { claim, complete, fail, heartbeat, release } from './operations/queue-work.ts';

export const operations = {
  status,
  submit,
  submit_many: submitMany,
  claim,
  heartbeat,
  complete,
  fail,
  release,
  cancel,
  get,
  list,
  wait,
  retry,
  peers,
  discover,
  connect,
  call_tool: callTool,
  mcp_request: mcpRequest,
  cache_get: cacheGet,
  cache_set: cacheSet,
  cache_has: cacheHas,
  cache_delete: cacheDelete,
} as const;

type Table = typeof operations;

export type OperationName = keyof Table;

/** What a caller hands in: fields with a default may be left out. */
export type OperationInput<Name extends OperationName> = z.input<Table[Name]['input']>;

/** What arrives after the check: defaults filled in. */
export type CheckedInput<Name extends OperationName> = z.output<Table[Name]['input']>;

export type OperationOutput<Name extends OperationName> = z.output<Table[Name]['output']>;

/** All names, in the table's order. */
export const operationNames = Object.keys(operations) as OperationName[];

const byTool: ReadonlyMap<string, OperationName> = new Map(operationNames.map((name) => [operations[name].tool, name]));

/** The operation that a tool name stands for. */
export function operationOfTool(tool: string): OperationName | undefined {
  return byTool.get(tool);
}

/** The entry as its general type, for code that treats all operations alike. */
export function operationEntry(name: OperationName): Operation {
  return operations[name] as unknown as Operation;
}

/** Tells whether a text is the name of an operation. */
export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}
