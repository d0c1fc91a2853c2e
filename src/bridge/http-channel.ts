/**
 * A channel over loopback HTTP, the near side of it: for platforms without Unix sockets, and for whoever wants to look at what
 * crosses. A session is one `GET /rpc`, whose answer streams what the far side says, one message a line; what this side says
 * goes by one `POST /rpc`, whose body is streamed as long.
 */

import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { RpcAddress } from '../mesh/rpc-address.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import type { RpcMessage } from '../rpc/message.ts';
import { Outbox } from '../rpc/outbox.ts';
import { encodeLines, LineReader } from './line-reader.ts';

/** Where the RPC is served. */
export const rpcPath = '/rpc';
/** Names the session of a `POST`; the answer to the `GET` brings it. */
export const sessionHeader = 'taskmesh-session';

/** What is read of an answer that says no, in bytes. */
const maxRefusalBytes = 64 * 1024;

export interface OpenHttpOptions {
  token: string | undefined;
  /** Gives up opening; does nothing afterwards. */
  signal: AbortSignal;
  limits: Limits;
}

/** Opens a session. Rejects with what the service answers (`unauthorized`, `busy`), or with the error of the connection. */
export async function openHttpChannel(
  address: RpcAddress & { kind: 'http' },
  { token, signal, limits }: OpenHttpOptions,
): Promise<Channel> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const ask = (method: string, headers: Record<string, string>): ClientRequest =>
    request({
      agent,
      method,
      host: address.host,
      port: address.port,
      path: rpcPath,
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
    });
  const opening = ask('GET', {});
  const giveUp = (): void => void opening.destroy(new Error('given up'));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const answer = responseTo(opening);
    opening.end();
    const stream = await answer;
    if (stream.statusCode !== 200) throw await refusal(stream);
    const up = ask('POST', {
      [sessionHeader]: String(stream.headers[sessionHeader]),
      'content-type': 'application/x-ndjson',
      'transfer-encoding': 'chunked',
    });
    return new HttpChannel(stream, up, agent, limits);
  } catch (error) {
    agent.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

class HttpChannel implements Channel {
  readonly #down: IncomingMessage;
  readonly #up: ClientRequest;
  readonly #agent: Agent;
  readonly #reader: LineReader;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
  #closed = false;

  constructor(down: IncomingMessage, up: ClientRequest, agent: Agent, { maxBridgeFrameBytes: maxFrameBytes }: Limits) {
    this.#down = down;
    this.#up = up;
    this.#agent = agent;
    this.#reader = new LineReader(maxFrameBytes);
    this.#outbox = new Outbox({
      maxFrameBytes,
      write: (batch, done) => void (up.write(encodeLines(batch)) ? done() : up.once('drain', done)),
    });
    responseTo(up)
      .then(async (answer) => this.#break(answer.statusCode === 202 ? undefined : await refusal(answer)))
      .catch((cause) => this.#break(cause));
    up.flushHeaders();
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes + this.#up.writableLength;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.#down.on('data', (piece: Uint8Array) => this.#receive(piece));
    this.#down.on('error', (cause) => this.#break(cause));
    this.#down.on('close', () => this.#break());
  }

  post(message: RpcMessage): void {
    if (!this.#closed) this.#outbox.add(message);
  }

  close(): void {
    this.#break();
  }

  #receive(piece: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#reader.push(piece, (message) => this.#closed || this.#events?.message(message));
    } catch (cause) {
      this.#break(cause as Error);
    }
  }

  #break(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.clear();
    this.#down.destroy();
    this.#up.destroy();
    this.#agent.destroy();
    this.#events?.closed(cause);
  }
}

function responseTo(asking: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asking.once('response', resolve);
    asking.on('error', reject);
  });
}

/** The failure in an answer that is not the one asked for. */
async function refusal(answer: IncomingMessage): Promise<MeshError> {
  let text = '';
  for await (const piece of answer) {
    text += piece;
    if (text.length > maxRefusalBytes) break;
  }
  try {
    const failure = JSON.parse(text);
    // A P2P service has something at this path, always.
    if (answer.statusCode !== 404 && failure.ok === false && typeof failure.message === 'string')
      return MeshError.fromFailure(failure);
  } catch {
    // Something else than a P2P service listens there.
  }
  return new MeshError(
    'invalid_config',
    `What listens there is no P2P service of taskmesh: it answered with HTTP status ${answer.statusCode}. Check --p2p-service.`,
  );
}
