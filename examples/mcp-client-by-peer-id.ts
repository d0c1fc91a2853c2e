/**
 * An MCP client that calls a server by peer id: `node examples/mcp-client-by-peer-id.ts ADDRESS`, where the address is one that
 * examples/mcp-server-by-peer-id.ts prints. A taskmesh node's address (`taskmesh status`) works as well.
 */
import process from 'node:process';
import { noise } from '@chainsafe/libp2p-noise';
import type { StreamMuxerFactory } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { Client } from '@modelcontextprotocol/client';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { libp2pTransport, mcpProtocol } from 'taskmesh';

const [address = ''] = process.argv.slice(2);
const host = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux() as unknown as () => StreamMuxerFactory],
});

const stream = await host.dialProtocol(multiaddr(address), mcpProtocol);
const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
await client.connect(libp2pTransport(stream));

const { tools } = await client.listTools();
console.log('It offers:', tools.map(({ name }) => name).join(', '));
if (tools.some(({ name }) => name === 'greet')) {
  const { content } = await client.callTool({ name: 'greet', arguments: { name: 'Ada' } });
  console.log(content);
}

await client.close();
await host.stop();
process.exit();
