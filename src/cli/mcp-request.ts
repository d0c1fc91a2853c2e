/** `taskmesh mcp-request`: one MCP request to a peer. A tool's failure is the command's, as with `taskmesh call`. */

import { isErrorCode, MeshError } from '../mesh/errors.ts';
import type { CommandCall, Outcome } from './command.ts';
import { callOperation } from './operation-command.ts';
import { valueText } from './table.ts';

export async function mcpRequest(call: CommandCall, input: Record<string, unknown>): Promise<Outcome> {
  const output = await callOperation(call, 'mcp_request', input);
  if (input.method === 'tools/call' && output.result.isError === true) throw errorOf(output.result);
  return { answer: { ok: true, ...output }, text: valueText(output.result) ?? 'null', exitCode: 0 };
}

/** A taskmesh node says its own code; of another server there is what its tool wrote for people. */
function errorOf(result: Record<string, unknown>): MeshError {
  const { error, message, retryable, details } = (result.structuredContent ?? {}) as Record<string, unknown>;
  if (isErrorCode(error) && typeof message === 'string') {
    const more = typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {};
    return new MeshError(error, message, { retryable: retryable === true, ...more });
  }
  const content = Array.isArray(result.content) ? (result.content as { text?: unknown }[]) : [];
  const texts = content.flatMap(({ text }) => (typeof text === 'string' ? [text] : []));
  return new MeshError('tool_error', texts.join('\n').slice(0, 2000) || 'The tool failed and did not say why.', {
    details: { result },
  });
}
