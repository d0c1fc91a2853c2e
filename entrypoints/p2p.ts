/**
 * The P2P service alone, on either runtime: a node without an MCP server, for servers that run with `--p2p-service`.
 *
 *     node entrypoints/p2p.ts --data ~/.taskmesh
 *
 * With `--supervised` it is some server's child: its options come by standard input, and it ends when that does.
 */

import process from 'node:process';

if (process.argv[2] === '--supervised') {
  const { superviseP2p } = await import('./supervised-p2p.ts');
  await superviseP2p();
} else {
  const { main } = await import('./main.ts');
  await main('p2p');
}
