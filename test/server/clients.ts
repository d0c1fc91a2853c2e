/**
 * The two official clients behind one face, over real HTTP: the current SDK (revision 2026-07-28) and the one that today's
 * programs are built on (revisions up to 2025-11-25). Both check answers against the tools' output schemas.
 */

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client';
import type { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp';

export interface ToolAnswer {
  structuredContent?: Record<string, unknown>;
  content?: unknown;
  isError?: boolean;
}

export interface Progress {
  progress: number;
  total?: number | undefined;
  message?: string | undefined;
  _meta?: Record<string, unknown> | undefined;
}

export interface CallExtras {
  signal?: AbortSignal;
  onprogress?: (progress: Progress) => void;
}

export interface McpClient {
  /** As negotiated. */
  readonly revision: string | undefined;
  readonly instructions: string | undefined;
  readonly server: { name: string; version: string } | undefined;
  tools(): Promise<{ name: string; [field: string]: unknown }[]>;
  call(tool: string, input: Record<string, unknown>, extras?: CallExtras): Promise<ToolAnswer>;
  close(): Promise<void>;
}

export type ClientKind = 'current SDK' | 'SDK 1.x';

export const clientKinds: readonly ClientKind[] = ['current SDK', 'SDK 1.x'];

const info = { name: 'taskmesh-test', version: '0.0.0' };

/** Connects, with the handshake of the client's own era. */
export function connectClient(kind: ClientKind, url: string): Promise<McpClient> {
  return kind === 'current SDK' ? connectCurrent(url) : connectOld(url);
}

async function connectCurrent(url: string): Promise<McpClient> {
  const client = new Client(info, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return {
    revision: client.getNegotiatedProtocolVersion(),
    instructions: client.getInstructions(),
    server: client.getServerVersion(),
    tools: async () => (await client.listTools()).tools as { name: string }[],
    call: async (name, input, extras = {}) =>
      (await client.callTool({ name, arguments: input }, { timeout: 10_000, ...extras })) as ToolAnswer,
    close: () => client.close(),
  };
}

/** The old SDK's package names this file's types and its code differently, so that Deno finds one of them only. */
async function oldTransport(url: string): Promise<OldTransport> {
  const file = '@modelcontextprotocol/sdk/client/streamableHttp.js';
  const loaded = (await import(file)) as { StreamableHTTPClientTransport: typeof OldTransport };
  return new loaded.StreamableHTTPClientTransport(new URL(url));
}

async function connectOld(url: string): Promise<McpClient> {
  const client = new OldClient(info);
  const transport = await oldTransport(url);
  // Its own types do not fit each other under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<OldClient['connect']>[0]);
  return {
    revision: transport.protocolVersion,
    instructions: client.getInstructions(),
    server: client.getServerVersion(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, input, extras = {}) =>
      (await client.callTool({ name, arguments: input }, undefined, { timeout: 10_000, ...extras })) as ToolAnswer,
    async close() {
      await transport.terminateSession();
      await client.close();
    },
  };
}
