/** `taskmesh proxy`: a peer as a local MCP server, by standard input and output or by loopback HTTP, until it is told to end. */

import process from 'node:process';
import type { ProxyOptions } from '../src/cli/cli-context.ts';
import { defaultLimits } from '../src/mesh/limits.ts';
import { listen } from '../src/server/listen.ts';
import { createPeerApp } from '../src/server/peer-app.ts';
import { peerMcpServerFactory } from '../src/server/peer-mcp-server.ts';
import { serveStdio } from '../src/server/serve-stdio.ts';

/** How long calls in flight may go on after the first signal, in milliseconds. */
const graceMs = 1_000;

/** Rejects with `address_in_use` when the port is taken. */
export async function proxy({ mesh, peer, info, instructions, http, signal }: ProxyOptions): Promise<void> {
  const sources = { mesh, peer, info, instructions };
  if (http === undefined) {
    const { stdin, stdout } = process;
    const maxMessageBytes = defaultLimits.maxBodyBytes;
    await serveStdio({ newServer: peerMcpServerFactory(sources), stdin, stdout, maxMessageBytes, signal });
    return;
  }
  const listener = await listen(createPeerApp(sources), { host: '127.0.0.1', port: http.port });
  try {
    http.onListening(listener.url);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await listener.close({ graceMs });
  }
}
