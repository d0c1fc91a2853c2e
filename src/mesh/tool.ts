/**
 * An operation as an MCP tool: what the server lists for its clients, and a node for its peers. Made once per process, so that
 * listing costs no schema work.
 */

import { answerJsonSchema, inputJsonSchema, type JsonSchema } from './answer.ts';
import { type OperationName, operationEntry } from './operations.ts';

/** Source: MCP specification, revision 2026-07-28, `Tool`. */
export interface MeshTool {
  name: string;
  title: string;
  description: string;
  inputSchema: JsonSchema;
  outputSchema: JsonSchema;
  annotations: {
    readOnlyHint: boolean;
    destructiveHint: boolean;
    idempotentHint: boolean;
    /** It reaches other nodes than the one that is asked. */
    openWorldHint: boolean;
  };
}

const made = new Map<OperationName, MeshTool>();

/** The same object each time; nobody may change it. */
export function toolOf(name: OperationName): MeshTool {
  let tool = made.get(name);
  if (tool === undefined) {
    tool = makeTool(name);
    made.set(name, tool);
  }
  return tool;
}

function makeTool(name: OperationName): MeshTool {
  const { tool, title, description, hints, remote, scope } = operationEntry(name);
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
      openWorldHint: remote || scope === 'peers:connect' || scope === 'tools:call',
    },
  };
}
