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

/**
 * Whether a tool may keep its caller waiting for long. Its answer is a stream from the start, whose keep-alive comments
 * reach the client (and every proxy) before their own time limits end the request.
 */
export function mayWait(tool: string): boolean {
  const name = operationOfTool(tool);
  return name !== undefined && operationEntry(name).waitMs !== undefined;
}
