/** The least that the suite `start-up` compares with: a runtime that listens by HTTP and says so, as the service does. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';

const server = createServer((_incoming, outgoing) => outgoing.end('ok'));
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(
    `  MCP        http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp\nCtrl-C stops it.\n`,
  );
});
process.on('SIGINT', () => process.exit(0));
