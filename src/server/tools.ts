/**
 * The table of operations as MCP tools, made once per process: listing them and calling them costs no schema work.
 */

import type { Tool } from '@modelcontextprotocol/server';
import { answerJsonSchema, inputJsonSchema } from '../mesh/answer.ts';
import { type OperationName, operationEntry, operationNames, operationOfTool } from '../mesh/operations.ts';

/** What this operation reaches: other nodes (open world), or only the node that is asked. */
function reachesOthers(name: OperationName): boolean {
  const entry = operationEntry(name);
  return entry.remote || entry.scope === 'peers:connect';
}

function toTool(name: OperationName): Tool {
  const { tool, title, description, hints } = operationEntry(name);
  return {
    name: tool,
    title,
    description,
    inputSchema: inputJsonSchema(name),
    outputSchema: answerJsonSchema(name),
    annotations: {
      readOnlyHint: hints.readOnly,
      destructiveHint: hints.destructive,
      idempotentHint: hints.idempotent,
      openWorldHint: reachesOthers(name),
    },
  };
}

/** All tools, in the table's order. Nobody changes them. */
export const tools: readonly Tool[] = operationNames.map(toTool);

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
