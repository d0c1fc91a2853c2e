/** The operation that hands one MCP request on to a peer: how programs on this machine use a peer as the MCP server that it is. */

import { z } from 'zod';
import { operation, seconds, target } from '../operation.ts';

/** What it adds to the time limit for the answer itself, in milliseconds: the peer's own word about a timeout shall arrive. */
const answerMs = 1_000;

/** What may be handed on. */
export const mcpMethods = ['tools/list', 'tools/call', 'server/discover'] as const;

export const mcpRequest = operation({
  tool: 'p2p_mcp_request',
  title: 'Ask a peer’s MCP server',
  summary: 'Send one MCP request to a peer: list its tools, or call one.',
  description:
    'Sends one MCP request to the peer that you name and answers its result as the peer gave it. method tools/list shows the peer’s tools with their input schemas; ' +
    'tools/call calls one with params {"name": …, "arguments": {…}}; server/discover tells what the peer is. It works with every MCP server that is reached by peer id, taskmesh node or not.',
  input: z.strictObject({
    method: z.enum(mcpMethods),
    params: z.record(z.string(), z.unknown()).default({}).describe('The request’s params; _meta is left out.'),
    timeout_s: seconds(600, 0.001).default(30),
    ...target,
  }),
  output: z.object({
    peer_id: z.string().describe('Who answered.'),
    result: z.record(z.string(), z.unknown()).describe('The MCP result.'),
  }),
  hints: { readOnly: false, idempotent: false, destructive: true },
  scope: 'tools:call',
  remote: false,
  waitMs: (input) => input.timeout_s * 1000,
  deadlineMs: (input) => input.timeout_s * 1000 + answerMs,
});
