/**
 * A channel over loopback HTTP, the near side of it: for platforms without Unix sockets, and for whoever wants to look at what
 * crosses. A session is one `GET /rpc`, whose answer streams what the far side says, one message a line; what this side says
 * goes by `POST /rpc`, one at a time: what is posted meanwhile goes together with the next one.
 */

import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { MeshError } from '../mesh/errors.ts';
import type { Limits } from '../mesh/limits.ts';
import type { RpcAddress } from '../mesh/rpc-address.ts';
import type { Channel, ChannelEvents } from '../rpc/channel.ts';
import type { EncodedMessage } from '../rpc/frames.ts';
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
  const post: Ask = (method, headers) =>
    request({
      agent,
      method,
      host: address.host,
      port: address.port,
      path: rpcPath,
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
    });
  const opening = post('GET', {});
  const giveUp = (): void => void opening.destroy(new Error('given up'));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const answer = responseTo(opening);
    opening.end();
    const stream = await answer;
    if (stream.statusCode !== 200) throw await refusal(stream);
    return new HttpChannel(stream, post, agent, limits);
  } catch (error) {
    agent.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

type Ask = (method: string, headers: Record<string, string>) => ClientRequest;

class HttpChannel implements Channel {
  readonly #stream: IncomingMessage;
  readonly #ask: Ask;
  readonly #agent: Agent;
  readonly #session: string;
  readonly #reader: LineReader;
  readonly #outbox: Outbox;
  #events: ChannelEvents | undefined;
  #bytesUnderWay = 0;
  #closed = false;

  constructor(stream: IncomingMessage, ask: Ask, agent: Agent, { maxBridgeFrameBytes: maxFrameBytes }: Limits) {
    this.#stream = stream;
    this.#ask = ask;
    this.#agent = agent;
    this.#session = String(stream.headers[sessionHeader]);
    this.#reader = new LineReader(maxFrameBytes);
    this.#outbox = new Outbox({
      maxFrameBytes,
      write: (batch, done) => void this.#send(batch).then(done, (cause) => this.#break(cause)),
    });
  }

  get bufferedBytes(): number {
    return this.#outbox.bytes + this.#bytesUnderWay;
  }

  open(events: ChannelEvents): void {
    this.#events = events;
    this.#stream.on('data', (piece: Uint8Array) => this.#receive(piece));
    this.#stream.on('error', (cause) => this.#break(cause));
    this.#stream.on('close', () => this.#break());
  }

  post(message: RpcMessage): void {
    if (!this.#closed) this.#outbox.add(message);
  }

  close(): void {
    this.#break();
  }

  async #send(batch: readonly EncodedMessage[]): Promise<void> {
    const body = Buffer.from(encodeLines(batch));
    this.#bytesUnderWay = body.byteLength;
    const asking = this.#ask('POST', {
      [sessionHeader]: this.#session,
      'content-type': 'application/x-ndjson',
      'content-length': String(body.byteLength),
    });
    const answer = responseTo(asking);
    asking.end(body);
    const response = await answer;
    if (response.statusCode !== 202) throw await refusal(response);
    response.resume();
    this.#bytesUnderWay = 0;
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
    this.#stream.destroy();
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
