/**
 * The table of operations as MCP tools, made once per process: listing them and calling them costs no schema work.
 */

import type { Tool } from '@modelcontextprotocol/server';
import { operationEntry, operationNames, operationOfTool } from '../mesh/operations.ts';
import { toolOf } from '../mesh/tool.ts';

/** All tools, in the table's order. Nobody changes them. */
export const tools: readonly Tool[] = operationNames.map(toolOf);

const defaultInputs = new Map(tools.map((tool) => [tool.name, defaultsOf(tool)]));

/** What a caller gets for the fields that it leaves out. */
function defaultsOf(tool: Tool): Record<string, unknown> {
  const properties = (tool.inputSchema.properties ?? {}) as Record<string, { default?: unknown }>;
  return Object.fromEntries(Object.entries(properties).map(([field, schema]) => [field, schema.default]));
}

/**
 * How long a call may keep its caller waiting, in milliseconds. The input is not checked yet: what does not fit counts as 0,
 * because its refusal comes at once.
 */
export function mayWaitMs(tool: string, input: unknown): number {
  const name = operationOfTool(tool);
  const given = typeof input === 'object' && input !== null ? input : {};
  const waitMs = name && operationEntry(name).waitMs?.({ ...defaultInputs.get(tool), ...given });
  return typeof waitMs === 'number' && waitMs > 0 ? waitMs : 0;
}
