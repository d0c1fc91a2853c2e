/** `taskmesh p2p`: a node without an MCP server, for servers that share it. The entrypoint does it; this is its command. */

import type { Command } from './command.ts';

export const p2p: Command = {
  name: 'p2p',
  group: 'Nodes',
  summary: 'Run a node for servers that connect to it, until Ctrl-C.',
  description:
    'Starts the P2P node alone and lets servers share it: by a Unix socket that only you can open, or by HTTP on loopback with a token. A server uses it with "serve --p2p-service", and may come and go while the node lives on. With --json, one line says when it is ready, with rpc, peer_id and addresses.',
  positionals: [],
  flags: {},
  needs: 'node',
  examples: ['p2p', 'p2p --rpc-listen unix:/run/taskmesh/p2p.sock', 'p2p --rpc-listen http://127.0.0.1:7332'],
  async run({ context, settings }) {
    const exitCode = await context.serveP2p(settings, (text, facts) =>
      context.stdout.write(settings.json ? `${JSON.stringify({ ok: true, ...facts })}\n` : text),
    );
    return { answer: undefined, text: undefined, exitCode };
  },
};
