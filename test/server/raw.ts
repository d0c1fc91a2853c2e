/** HTTP by hand, for what no well-behaved client sends: MCP messages of both eras, and bytes on a socket. */

import { connect, type Socket } from 'node:net';

export const modernRevision = '2026-07-28';

type Json = Record<string, unknown>;

/** Headers of a POST that a session-era client sends. */
export const oldHeaders = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };

export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...oldHeaders, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

function modernMessage(tool: string, input: Json, meta: Json): Json {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': modernRevision,
    'io.modelcontextprotocol/clientCapabilities': {},
    ...meta,
  };
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: input, _meta } };
}

function modernHeaders(tool: string): Record<string, string> {
  return { 'MCP-Protocol-Version': modernRevision, 'Mcp-Method': 'tools/call', 'Mcp-Name': tool };
}

/** A `tools/call` of revision 2026-07-28. */
export function modernCall(
  url: string,
  tool: string,
  input: Json,
  meta: Json = {},
  signal?: AbortSignal,
): Promise<Response> {
  return post(url, modernMessage(tool, input, meta), modernHeaders(tool), signal);
}

/** The same as the bytes of its request. */
export function modernCallText(tool: string, input: Json): string {
  const body = JSON.stringify(modernMessage(tool, input, {}));
  const headers = { Host: 'localhost', ...oldHeaders, ...modernHeaders(tool), 'Content-Length': body.length };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return ['POST /mcp HTTP/1.1', ...lines, '', body].join('\r\n');
}

/** Opens a session and answers its id. */
export async function openSession(url: string, protocolVersion = '2025-11-25'): Promise<string> {
  const response = await initialize(url, protocolVersion);
  await response.text();
  const id = response.headers.get('mcp-session-id');
  if (id === null) throw new Error(`no session: ${response.status}`);
  return id;
}

export function initialize(url: string, protocolVersion = '2025-11-25'): Promise<Response> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'raw', version: '0' } };
  return post(url, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
}

/** A request within a session. */
export function inSession(url: string, session: string, method: string, params: Json = {}): Promise<Response> {
  return post(url, { jsonrpc: '2.0', id: 2, method, params }, { 'Mcp-Session-Id': session });
}

/** The JSON-RPC messages of an answer, be it JSON or a stream. */
export async function messagesOf(response: Response): Promise<Json[]> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return [JSON.parse(text) as Json];
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Json);
}

/** The result in the last message of an answer. */
export async function resultOf(response: Response): Promise<Json> {
  const message = (await messagesOf(response)).at(-1);
  if (message?.result === undefined) throw new Error(`no result: ${JSON.stringify(message)}`);
  return message.result as Json;
}

/** The JSON-RPC error of an answer. */
export async function errorOf(response: Response): Promise<{ code: number; message: string; data?: Json }> {
  const [message] = await messagesOf(response);
  return message?.error as { code: number; message: string; data?: Json };
}

/** Sends bytes, and answers what came back when the other side closed the connection. */
export function exchange(url: string, text: string, keep?: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(text);
      keep?.(socket);
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    // A reset is an end too.
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}
