/**
 * An MCP server that is reached by peer id instead of by URL: any server of the MCP SDK, over libp2p.
 *
 *     node examples/mcp-server-by-peer-id.ts
 *
 * Then, with an address that it prints: `node examples/mcp-client-by-peer-id.ts ADDRESS`. A node without a mesh key reaches it too:
 * `taskmesh proxy ADDRESS` gives it to any MCP client.
 */
import process from 'node:process';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { StreamMuxerFactory } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createLibp2p } from 'libp2p';
import { libp2pTransport, mcpProtocol } from 'taskmesh';
import { z } from 'zod';

function newServer(caller: string): McpServer {
  const server = new McpServer({ name: 'greeter', version: '1.0.0' }, { capabilities: { tools: {} } });
  const greet = { description: 'Greets whoever calls.', inputSchema: z.object({ name: z.string() }) };
  server.registerTool('greet', greet, ({ name }) => ({
    content: [{ type: 'text', text: `Hello ${name}, alias ${caller}!` }],
  }));
  return server;
}

const host = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux() as unknown as () => StreamMuxerFactory],
  services: { identify: identify() },
});

// Who calls is known by the connection: no claim of the caller's own is needed.
await host.handle(mcpProtocol, (stream, connection) => {
  const caller = connection.remotePeer.toString();
  serveStdio(() => newServer(caller), { transport: libp2pTransport(stream) });
});

for (const address of host.getMultiaddrs()) console.log(address.toString());
process.once('SIGINT', async () => {
  await host.stop();
  process.exit();
});
