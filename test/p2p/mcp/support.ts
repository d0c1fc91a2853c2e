/** MCP over libp2p in tests: both SDKs' clients and servers at the ends of real streams. */

import type { Stream } from '@libp2p/interface';
import { Client } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client';
import { multiaddr } from '@multiformats/multiaddr';
import type { Libp2p } from 'libp2p';
import { carriageProtocol } from '../../../src/p2p/carriage.ts';
import { libp2pTransport } from '../../../src/p2p/mcp/transport.ts';

export interface ToolResult {
  content: { type: string; text?: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

export interface Progress {
  progress: number;
  total?: number | undefined;
  message?: string | undefined;
}

export interface CallExtras {
  signal?: AbortSignal;
  onprogress?: (progress: Progress) => void;
}

/** A client of either SDK, of whichever revision. */
export interface SdkClient extends AsyncDisposable {
  readonly server: { name: string; version: string } | undefined;
  tools(): Promise<{ name: string; description?: string | undefined; inputSchema: unknown }[]>;
  call(tool: string, args?: Record<string, unknown>, extras?: CallExtras): Promise<ToolResult>;
  ping(): Promise<unknown>;
}

export const clientKinds = ['SDK 2, revision 2026-07-28', 'SDK 2, earlier revision', 'SDK 1.x'] as const;
export type ClientKind = (typeof clientKinds)[number];

const info = { name: 'taskmesh-test', version: '0.0.0' };

export async function connectClient(kind: ClientKind, stream: Stream): Promise<SdkClient> {
  return kind === 'SDK 1.x' ? await connectOld(stream) : await connectCurrent(kind, stream);
}

export async function openStream(host: Libp2p, address: string): Promise<Stream> {
  return await host.dialProtocol(multiaddr(address), carriageProtocol);
}

async function connectCurrent(kind: ClientKind, stream: Stream): Promise<SdkClient> {
  const mode = kind === 'SDK 2, revision 2026-07-28' ? 'auto' : 'legacy';
  const client = new Client(info, { versionNegotiation: { mode } });
  await client.connect(libp2pTransport(stream));
  return {
    server: client.getServerVersion(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, extras = {}) =>
      (await client.callTool({ name, arguments: args }, { timeout: 10_000, ...extras })) as ToolResult,
    ping: () => client.ping(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectOld(stream: Stream): Promise<SdkClient> {
  const client = new OldClient(info);
  await client.connect(libp2pTransport(stream));
  return {
    server: client.getServerVersion(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, extras = {}) =>
      (await client.callTool({ name, arguments: args }, undefined, { timeout: 10_000, ...extras })) as ToolResult,
    ping: () => client.ping(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
