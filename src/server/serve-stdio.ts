/** MCP by standard input and output, both eras: what an MCP client starts as a program. Used by `taskmesh proxy`. */

import type { Readable, Writable } from 'node:stream';
import { getLogger } from '@logtape/logtape';
import type { Server } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio as serve } from '@modelcontextprotocol/server/stdio';

const log = getLogger(['taskmesh', 'server']);

interface StdioOptions {
  readonly newServer: () => Server;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** One message, in bytes. */
  readonly maxMessageBytes: number;
  readonly signal: AbortSignal;
}

/** Resolves when the client has closed our standard input, or the signal fires; calls in flight are aborted then. */
export async function serveStdio({ newServer, stdin, stdout, maxMessageBytes, signal }: StdioOptions): Promise<void> {
  if (signal.aborted) return;
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: maxMessageBytes });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const onerror = (error: Error): void => log.debug('MCP: {message}', { message: error.message });
  const handle = serve(newServer, { transport, onerror });
  const { onclose } = transport;
  transport.onclose = () => {
    onclose?.();
    end();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    await ended;
  } finally {
    signal.removeEventListener('abort', end);
    await handle.close();
  }
}
