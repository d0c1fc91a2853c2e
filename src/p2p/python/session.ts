/**
 * One stream of `/mcp+p2p/1.0.0`, served: a session (`initialize`, then calls of one tool), MCP's sessionless binding when the first
 * request is of that kind, and messages with a `type`. One request at a time, 128 frames at most; an id may come again.
 */

import type { Clock } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';
import { BrokenFrameError } from '../../rpc/frames.ts';
import { protocolVersionKey } from '../carriage.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { Asker } from './asker.ts';
import type { Request } from './fields.ts';
import type { Guard } from './guard.ts';
import { NotANumberError, parsePythonJson } from './json.ts';
import type { MessageStream } from './message-stream.ts';
import { frameOf, type MessageId, type Refusal, refusalMessage, refusals, resultMessage, rpcTool } from './messages.ts';
import type { Reply } from './operation-parts.ts';
import type { PythonOperations } from './operations.ts';
import { isP2PMessage, p2pMessage } from './p2p-message.ts';
import { initializeResult, rpcToolList, sessionlessDiscovery } from './session-answers.ts';

export interface SessionParts {
  readonly peerId: string;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'maxPythonFrameBytes' | 'maxPythonStreamFrames' | 'pythonIdleMs'>;
  readonly operations: PythonOperations;
  readonly guard: Guard;
}

/** Serves the stream until it ends or breaks a rule. Never rejects. */
export async function serveSession(stream: MessageStream, asker: Asker, parts: SessionParts): Promise<void> {
  const session = new Session(stream, asker, parts);
  try {
    await session.run();
  } catch (thrown) {
    const detail = thrown instanceof NotANumberError ? thrown.message : undefined;
    if (thrown instanceof BrokenFrameError) await session.refuse(null, thrown.word, detail);
  } finally {
    stream.close();
  }
}

type Message = Readonly<Record<string, unknown>>;

class Session {
  readonly #stream: MessageStream;
  readonly #asker: Asker;
  readonly #parts: SessionParts;
  readonly #bucket: TokenBucket;
  #frames = 0;
  #binding: 'none' | 'session' | 'sessionless' = 'none';

  constructor(stream: MessageStream, asker: Asker, parts: SessionParts) {
    this.#stream = stream;
    this.#asker = asker;
    this.#parts = parts;
    const frames = parts.limits.maxPythonStreamFrames;
    this.#bucket = new TokenBucket(frames, frames, parts.clock);
  }

  async run(): Promise<void> {
    for (;;) {
      const body = await this.#stream.next(this.#parts.limits.pythonIdleMs);
      if (body === undefined || !(await this.#serve(body))) return;
    }
  }

  /** False when the stream is to be closed. */
  async #serve(body: Uint8Array): Promise<boolean> {
    const { value, hazard } = parsePythonJson(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new BrokenFrameError('invalid_message', 'A frame came that holds no JSON object.');
    const message = value as Message;
    const id = idOf(message);
    const { maxPythonStreamFrames } = this.#parts.limits;
    if (++this.#frames > maxPythonStreamFrames || !this.#bucket.take() || !this.#parts.guard.mayAsk(this.#asker))
      return this.refuse(id, 'rate_limited');
    if (isP2PMessage(message)) return this.#serveP2P(message, hazard?.message);
    if (message.jsonrpc !== '2.0' || typeof message.method !== 'string') return this.refuse(id, 'invalid_jsonrpc');
    if (!('id' in message)) return true; // notifications mean nothing here
    if (hazard !== undefined) return this.refuse(id, 'invalid_params', hazard.message);
    return this.#request(id, message.method, message.params);
  }

  async #request(id: MessageId, method: string, params: unknown): Promise<boolean> {
    if (this.#binding === 'none' && isSessionless(params)) this.#binding = 'sessionless';
    if (this.#binding === 'sessionless' && method === 'initialize') return this.refuse(id, 'method_not_found');
    if (method === 'initialize') {
      this.#binding = 'session';
      return this.#answer(id, initializeResult(this.#parts.peerId, this.#parts.limits));
    }
    if (this.#binding === 'none') return this.refuse(id, 'init_required');
    if (method === 'tools/list') return this.#answer(id, rpcToolList(this.#binding === 'sessionless'));
    if (method === 'server/discover' && this.#binding === 'sessionless')
      return this.#answer(id, sessionlessDiscovery());
    return method === 'tools/call' ? this.#callTool(id, params) : this.refuse(id, 'method_not_found');
  }

  async #callTool(id: MessageId, params: unknown): Promise<boolean> {
    if (!isRecord(params) || typeof params.name !== 'string') return this.refuse(id, 'invalid_params');
    if (params.name !== rpcTool) return this.refuse(id, 'unknown_tool');
    if (!isRecord(params.arguments)) return this.refuse(id, 'invalid_arguments');
    if (!this.#parts.guard.admits(params.arguments, this.#asker)) return this.refuse(id, 'unauthorized');
    const reply = await this.#run(params.arguments);
    const result =
      this.#binding === 'sessionless'
        ? { resultType: 'complete', content: [], structuredContent: reply, isError: reply.ok !== true }
        : { content: reply };
    return (await this.#send(resultMessage(id, result))) || this.refuse(id, 'tool_error');
  }

  /** The error is a text here, and the stream goes on; only who holds the token learns more than `unauthorized`. */
  async #serveP2P(message: Message, hazard: string | undefined): Promise<boolean> {
    if (message.type !== 'request') return true;
    const method = String(message.method);
    const answer = async (result: Reply | null, error: string | null): Promise<boolean> => {
      const { peerId: sender, clock } = this.#parts;
      const id = typeof message.id === 'string' ? message.id : null;
      const timestamp = clock.nowMs() / 1000;
      return this.#send(p2pMessage({ type: 'response', method, params: {}, id, result, error, sender, timestamp }));
    };
    if (hazard !== undefined) return answer(null, hazard);
    if (method !== rpcTool) return answer(null, 'method_not_found');
    if (!isRecord(message.params)) return answer(null, 'invalid_params');
    if (this.#parts.guard.admits(message.params, this.#asker)) return answer(await this.#run(message.params), null);
    await answer(null, 'unauthorized');
    return false;
  }

  #run(request: Request): Promise<Reply> {
    return this.#parts.operations.run(request, this.#asker, this.#stream.closed);
  }

  async #answer(id: MessageId, result: unknown): Promise<boolean> {
    return this.#send(resultMessage(id, result));
  }

  /** Answers whether the stream goes on. */
  async refuse(id: MessageId, refusal: Refusal, detail?: string): Promise<boolean> {
    await this.#send(refusalMessage(id, refusal, detail));
    return !refusals[refusal].closes;
  }

  /** False for what does not fit in a frame. */
  async #send(message: unknown): Promise<boolean> {
    const frame = frameOf(message, this.#parts.limits.maxPythonFrameBytes);
    if (frame !== undefined) await this.#stream.send(frame);
    return frame !== undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf({ id }: Message): MessageId {
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

function isSessionless(params: unknown): boolean {
  return isRecord(params) && isRecord(params._meta) && protocolVersionKey in params._meta;
}
