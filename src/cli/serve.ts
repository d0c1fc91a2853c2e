/** `taskmesh serve`: a node and its MCP server, until Ctrl-C. The entrypoint does it; this is its command. */

import type { Command } from './command.ts';

export const serve: Command = {
  name: 'serve',
  group: 'Nodes',
  summary: 'Run a node and its MCP server until Ctrl-C.',
  description:
    'Starts the P2P node and serves its tools as MCP over HTTP. Listens on loopback only, unless told otherwise; then it needs the mesh’s shared key ("taskmesh init"). With --json, one line says when it is ready, with url, peer_id and addresses.',
  positionals: [],
  flags: {},
  needs: 'node',
  examples: [
    'serve',
    'serve --port 7331 --data ./second-node',
    'serve --p2p-listen /ip4/0.0.0.0/tcp/4001',
    'serve --bootstrap ~/.taskmesh/announce.json --tools ./examples/tools.ts',
  ],
  async run({ context, settings }) {
    const exitCode = await context.serve(settings, (text, facts) =>
      context.stdout.write(settings.json ? `${JSON.stringify({ ok: true, ...facts })}\n` : text),
    );
    return { answer: undefined, text: undefined, exitCode };
  },
};
