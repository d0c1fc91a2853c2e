/**
 * The HTTP clients of the fair-loop benchmark, in a process of their own: an open loop, so many requests a second whatever the
 * answers do, each timed from the moment at which it was meant to start. Started and commanded by `fair-loop.ts` over IPC.
 */

import { Agent, request } from 'node:http';
import process from 'node:process';

export interface LoadCommand {
  url: string;
  perSecond: number;
  seconds: number;
}

export interface LoadReport {
  /** Milliseconds of each request, from its intended start to the last byte of its answer. */
  off: number[];
  on: number[];
  /** How late this process itself was to send, in milliseconds. */
  late: number[];
  failed: number;
}

const revision = '2026-07-28';
const agent = new Agent({ keepAlive: true, maxSockets: 128 });

interface Ask {
  headers: Record<string, string | number>;
  body: string;
}

function ask(method: string, name: string | undefined, params: Record<string, unknown>): Ask {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
  return {
    body,
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'Content-Length': Buffer.byteLength(body),
      'MCP-Protocol-Version': revision,
      'Mcp-Method': method,
      ...(name === undefined ? {} : { 'Mcp-Name': name }),
    },
  };
}

const cacheHas = 'p2p_taskqueue_cache_has';
/** A request that the server answers by itself, and one that the P2P node has to be asked for. */
const asks = {
  off: ask('server/discover', undefined, {}),
  on: ask('tools/call', cacheHas, { name: cacheHas, arguments: { key: 'nothing' } }),
};

function send(url: string, { headers, body }: Ask): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(response.statusCode === 200 && text.includes('"result"')));
      response.on('error', () => resolve(false));
    });
    outgoing.on('error', () => resolve(false));
    outgoing.end(body);
  });
}

async function run({ url, perSecond, seconds }: LoadCommand): Promise<LoadReport> {
  const report: LoadReport = { off: [], on: [], late: [], failed: 0 };
  const total = perSecond * seconds;
  const open: Promise<void>[] = [];
  const from = performance.now();
  for (let sent = 0; sent < total; ) {
    for (const nowMs = performance.now(); sent < total; sent++) {
      const intendedMs = from + (sent * 1000) / perSecond;
      if (intendedMs > nowMs) break;
      const kind = sent % 2 === 0 ? 'off' : 'on';
      report.late.push(performance.now() - intendedMs);
      open.push(
        send(url, asks[kind]).then((ok) => {
          if (ok) report[kind].push(performance.now() - intendedMs);
          else report.failed++;
        }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  // The service ends connections that are idle while the other one is measured; a request must not meet that.
  agent.destroy();
  return report;
}

process.on('message', async (command: LoadCommand | 'end') => {
  if (command === 'end') process.exit(0);
  process.send?.(await run(command));
});
process.send?.('ready');
