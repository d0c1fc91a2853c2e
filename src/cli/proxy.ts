/**
 * `taskmesh proxy PEER`: a peer's tools for any MCP client of this machine. The command asks the running node to hand each request on;
 * the entrypoint serves MCP, by standard input and output or by loopback HTTP.
 */

import { version } from '../mesh/build.ts';
import { toMeshError } from '../mesh/errors.ts';
import type { CheckedInput, OperationOutput } from '../mesh/operations.ts';
import type { Command, CommandCall, Outcome } from './command.ts';
import { keepAlive } from './keep-alive.ts';
import { printable } from './style.ts';
import { UsageError } from './usage-error.ts';

/** How long the peer may take to say who it is, in seconds; clients wait for that long before they hear anything. */
const discoverS = 5;

export const proxy: Command = {
  name: 'proxy',
  group: 'Nodes',
  summary: 'Give the MCP clients of this machine the tools of a peer.',
  description:
    'Serves a peer as a local MCP server: by standard input and output, so that an MCP client can start it (command "taskmesh", arguments "proxy" and the peer id), or with --http on loopback. ' +
    'Each request goes through the node at --url to the peer, which decides what this machine may call (its operator: taskmesh grant). ' +
    'While the peer or the node is away, calls answer so; it need not be started again. It ends when its standard input does, or with Ctrl-C.',
  positionals: [
    {
      name: 'peer',
      label: 'PEER',
      required: true,
      summary: 'The peer’s id, or a multiaddr that ends in /p2p/<peer id>.',
    },
  ],
  flags: {
    stdio: { kind: 'switch', summary: 'Speak MCP by standard input and output. This is the default.' },
    http: {
      kind: 'text',
      summary: 'Speak MCP by HTTP on this loopback port; 0 takes any free one.',
      placeholder: 'PORT',
    },
  },
  needs: 'client',
  examples: [
    'proxy 12D3KooW…',
    'proxy 12D3KooW… --http 7400',
    'proxy /ip4/192.168.1.5/tcp/4001/p2p/12D3KooW… --url http://127.0.0.1:7331/mcp',
    'claude mcp add other-machine -- taskmesh proxy 12D3KooW…',
  ],
  run: runProxy,
};

async function runProxy(call: CommandCall): Promise<Outcome> {
  const { context, flags, signal } = call;
  const named = call.arguments.peer?.[0] ?? '';
  const peer = named.startsWith('/') ? { remote_multiaddr: named } : { remote_peer_id: named };
  const port = portOf(flags.http);
  if (port !== undefined && flags.stdio === true) throw new UsageError('proxy takes --stdio or --http, not both.');
  const mesh = await call.mesh();
  using _ = keepAlive();
  const say = (text: string): unknown => context.stderr.write(`${text}\n`);
  const input: Partial<CheckedInput<'mcp_request'>> & { method: 'server/discover' } = {
    method: 'server/discover',
    timeout_s: discoverS,
    ...peer,
  };
  const found = await mesh.call('mcp_request', input, { signal }).catch((thrown: unknown) => {
    const error = toMeshError(thrown);
    // A wrong name, or a peer that does not want this, will not become right by itself.
    if (signal.aborted || !error.retryable) throw error;
    say(`${printable(error.message)} (${error.code}) Calls will say so until it is back.`);
    return undefined;
  });
  const { title, instructions } = identityOf(found, named);
  await context.proxy({
    mesh,
    peer,
    info: { name: 'taskmesh-proxy', title, version },
    instructions,
    signal,
    ...(port === undefined ? {} : { http: { port, onListening: (url) => say(`${printable(title)} is at ${url}`) } }),
  });
  return { answer: { ok: true }, text: undefined, exitCode: 0 };
}

/** What the peer says about itself, as far as it does; names it, because clients show several servers side by side. */
function identityOf(
  found: OperationOutput<'mcp_request'> | undefined,
  named: string,
): { title: string; instructions: string | undefined } {
  const id = found?.peer_id ?? named;
  const { serverInfo, instructions } = (found?.result ?? {}) as { serverInfo?: unknown; instructions?: unknown };
  const { title, name } = (serverInfo ?? {}) as { title?: unknown; name?: unknown };
  const what = [title, name].find((text): text is string => typeof text === 'string' && text !== '') ?? 'peer';
  return {
    title: `${what.slice(0, 100)} ${id}`,
    instructions: typeof instructions === 'string' ? instructions.slice(0, 10_000) : undefined,
  };
}

function portOf(written: unknown): number | undefined {
  if (written === undefined) return undefined;
  const port = Number(written);
  if (written !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new UsageError(`--http must be a port from 0 to 65535, not "${written}".`);
}
