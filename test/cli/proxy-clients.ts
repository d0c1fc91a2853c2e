/** Starts `taskmesh proxy` as a program, as MCP clients do, and connects clients of both SDKs to it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client';
import type { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio';
import type { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp';
import type { CallExtras, ToolResult } from '../p2p/mcp/support.ts';
import { commandFor, currentRuntime, rootFolder } from '../tooling/runtimes.ts';

export const clientKinds = ['SDK 2, revision 2026-07-28', 'SDK 2, earlier revision', 'SDK 1.x'] as const;
export type ClientKind = (typeof clientKinds)[number];

export interface ProxyClient extends AsyncDisposable {
  readonly title: string | undefined;
  readonly instructions: string | undefined;
  /** Of the program; null by HTTP. */
  readonly pid: number | null;
  tools(): Promise<{ name: string }[]>;
  call(tool: string, args?: Record<string, unknown>, extras?: CallExtras): Promise<ToolResult>;
}

const info = { name: 'taskmesh-test', version: '0.0.0' };

/** The command line that starts the proxy on this runtime. */
export function proxyCommand(args: readonly string[]): { command: string; args: string[] } {
  const { executable, args: first } = commandFor(currentRuntime, join(rootFolder, 'entrypoints/cli.ts'));
  return { command: executable, args: [...first, 'proxy', ...args] };
}

export async function byStdio(kind: ClientKind, args: readonly string[]): Promise<ProxyClient> {
  const server = { ...proxyCommand(args), stderr: 'ignore' as const };
  if (kind !== 'SDK 1.x') {
    const transport = new StdioClientTransport(server);
    return await connected(kind, transport, () => transport.pid);
  }
  const file = '@modelcontextprotocol/sdk/client/stdio.js';
  const { StdioClientTransport: Old } = (await import(file)) as { StdioClientTransport: typeof OldStdio };
  const transport = new Old(server);
  return await connectedOld(transport as Parameters<OldClient['connect']>[0], () => transport.pid);
}

export async function byHttp(kind: ClientKind, url: string): Promise<ProxyClient> {
  if (kind !== 'SDK 1.x') return await connected(kind, new StreamableHTTPClientTransport(new URL(url)), () => null);
  const file = '@modelcontextprotocol/sdk/client/streamableHttp.js';
  const { StreamableHTTPClientTransport: Old } = (await import(file)) as {
    StreamableHTTPClientTransport: typeof OldHttp;
  };
  return await connectedOld(new Old(new URL(url)) as Parameters<OldClient['connect']>[0], () => null);
}

async function connected(
  kind: ClientKind,
  transport: Parameters<Client['connect']>[0],
  pid: () => number | null,
): Promise<ProxyClient> {
  const mode = kind === 'SDK 2, revision 2026-07-28' ? 'auto' : 'legacy';
  const client = new Client(info, { versionNegotiation: { mode } });
  await client.connect(transport);
  return {
    title: client.getServerVersion()?.title,
    instructions: client.getInstructions(),
    pid: pid(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, extras = {}) =>
      (await client.callTool({ name, arguments: args }, { timeout: 20_000, ...extras })) as ToolResult,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectedOld(
  transport: Parameters<OldClient['connect']>[0],
  pid: () => number | null,
): Promise<ProxyClient> {
  const client = new OldClient(info);
  await client.connect(transport);
  return {
    title: client.getServerVersion()?.title,
    instructions: client.getInstructions(),
    pid: pid(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args = {}, extras = {}) =>
      (await client.callTool({ name, arguments: args }, undefined, { timeout: 20_000, ...extras })) as ToolResult,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

export interface Started {
  readonly child: ChildProcess;
  signal(name: 'SIGINT' | 'SIGTERM'): void;
  /** Resolves when standard error has a line that fits. */
  said(pattern: RegExp): Promise<string>;
  readonly exitCode: Promise<number | null>;
  readonly stdout: () => string;
}

/** Starts the proxy without a client. */
export function startProxy(args: readonly string[]): Started {
  const { command, args: all } = proxyCommand(args);
  const child = spawn(command, all, { stdio: 'pipe', env: process.env });
  let stderr = '';
  let stdout = '';
  const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const waiting = new Set<() => void>();
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    for (const look of waiting) look();
  });
  return {
    child,
    // Deno's `child.kill` would report the signal as the cause of the end, whatever the exit code was.
    signal: (name) => void (child.pid !== undefined && process.kill(child.pid, name)),
    exitCode,
    stdout: () => stdout,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(stderr);
          if (found === null) return;
          waiting.delete(look);
          resolve(found[1] ?? found[0]);
        };
        waiting.add(look);
        look();
        void exitCode.then(() => reject(new Error(`it ended without ${pattern}: ${stderr}`)));
      }),
  };
}
