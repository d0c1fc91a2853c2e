/**
 * What a call of a tool answers, as MCP's result. Source: MCP specification, revision 2026-07-28, `CallToolResult`.
 */

import type { Answer } from '../../mesh/answer.ts';
import type { MeshError } from '../../mesh/errors.ts';

export interface ToolResult {
  content: { type: 'text'; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

/**
 * An operation's structured answer. `structuredOnly`: the caller is a node, which does not read the same data once more as text.
 */
export function answerResult(answer: Answer, structuredOnly: boolean): ToolResult {
  return {
    content: structuredOnly ? [] : [{ type: 'text', text: JSON.stringify(answer) }],
    structuredContent: answer as unknown as Record<string, unknown>,
    isError: !answer.ok,
  };
}

/** What a tool of the node's own answered: text as it is, everything else as JSON, objects also as structured content. */
export function valueResult(value: unknown): ToolResult {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return {
    content: [{ type: 'text', text }],
    ...(isObject ? { structuredContent: value as Record<string, unknown> } : {}),
  };
}

/** A tool that failed, or may not be called: the model that called it shall read why. */
export function refusedResult(error: MeshError): ToolResult {
  return {
    content: [{ type: 'text', text: `${error.message} (${error.code})` }],
    structuredContent: { ...error.toFailure() },
    isError: true,
  };
}
