/**
 * An MCP client inside a host: takes calls as lines of JSON on standard input, answers them on standard output. Started by
 * `hosts.ts`; its argument is the MCP URL. Ends when its input ends.
 */

import process from 'node:process';
import { createInterface } from 'node:readline';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** Longer than any wait that a test asks for: the node's own word is to come first. */
const timeout = 90_000;

const client = new Client({ name: 'lab', version: '0.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2] ?? '')));

async function answer(line: string): Promise<object> {
  const { id, tool, input } = JSON.parse(line);
  try {
    const { structuredContent } = await client.callTool({ name: tool, arguments: input }, { timeout });
    return { id, answer: structuredContent };
  } catch (error) {
    return { id, error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  void answer(line).then((answered) => process.stdout.write(`${JSON.stringify(answered)}\n`));
}
process.exit(0);
