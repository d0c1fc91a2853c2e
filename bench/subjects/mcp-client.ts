/**
 * An MCP client that costs next to nothing: revision 2026-07-28 over kept-alive HTTP, requests made once and sent often. For drivers,
 * so that what is measured is the server.
 */

import { Agent, type IncomingMessage, request } from 'node:http';

/** One request, ready to be sent. */
export interface Ask {
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

export type Output = { ok: boolean } & Record<string, unknown>;

const revision = '2026-07-28';

export function askFor(method: string, params: Record<string, unknown>, name?: string): Ask {
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

export const askForTool = (tool: string, input: Record<string, unknown>): Ask =>
  askFor('tools/call', { name: tool, arguments: input }, tool);

/** Idle connections are closed after so many milliseconds: before a server does, which may be while a request is on its way to it. */
const idleMs = 3_000;

export class McpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: idleMs });

  /** The answer's text. Rejects unless the server answered a result that is no error. */
  async send(url: string, ask: Ask): Promise<string> {
    const { status, text } = await this.#post(url, ask);
    if (status === 200 && text.includes('"result"') && !text.includes('"isError":true')) return text;
    throw new Error(`The server answered ${status}: ${text.slice(0, 300)}`);
  }

  /** Calls a tool once and answers its structured output. */
  async call(url: string, tool: string, input: Record<string, unknown>): Promise<Output> {
    const text = await this.send(url, askForTool(tool, input));
    const message = JSON.parse(text) as { result: { structuredContent: Output } };
    return message.result.structuredContent;
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(url: string, { headers, body }: Ask): Promise<{ status: number | undefined; text: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method: 'POST', agent: this.#agent, headers }, (response: IncomingMessage) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.once('end', () => resolve({ status: response.statusCode, text }));
        response.once('error', reject);
      });
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }
}
