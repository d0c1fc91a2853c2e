/**
 * One stream to a Python node, from the asking side: `initialize` once, then calls one after the other, as many as a stream takes.
 * Made and kept by the node's pool.
 */

import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import { BrokenFrameError, FrameReader } from '../../rpc/frames.ts';
import { parsePythonJson } from './json.ts';
import { LineReader } from './line-reader.ts';
import { MessageStream } from './message-stream.ts';
import { bodyOf, callMessage, frameOf, initializeMessage } from './messages.ts';

export type Rpc = Readonly<Record<string, unknown>>;

export interface ClientSessionOptions {
  readonly clock: Clock;
  readonly limits: Pick<
    Limits,
    'maxPythonFrameBytes' | 'maxPythonReplyBytes' | 'maxPythonStreamFrames' | 'frameDeadlineMs'
  >;
}

/** A way to ask a Python node once or several times. */
export interface Asking {
  /** Whether it can be asked again. */
  readonly usable: boolean;
  /** The reply. Rejects with `peer_unreachable`, `timeout`, `peer_protocol_error`, `unauthorized`, `payload_too_large`. */
  ask(rpc: Rpc, deadlineMs: number): Promise<Rpc>;
  close(): void;
}

export class ClientSession implements Asking {
  readonly #stream: MessageStream;
  readonly #options: ClientSessionOptions;
  #frames = 0;
  #calls = 0;
  #broken = false;

  constructor(stream: Stream, options: ClientSessionOptions) {
    this.#options = options;
    this.#stream = messagesOf(stream, new FrameReader(options.limits.maxPythonReplyBytes), options);
  }

  get usable(): boolean {
    return !this.#broken && !this.#stream.closed.aborted && this.#frames < this.#options.limits.maxPythonStreamFrames;
  }

  async ask(rpc: Rpc, deadlineMs: number): Promise<Rpc> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + deadlineMs;
    try {
      if (this.#frames === 0) await this.#request(initializeMessage(), 1, deadlineMs);
      const id = ++this.#calls;
      const result = await this.#request(callMessage(id, rpc), id, Math.max(1, untilMs - clock.monotonicMs()));
      const reply = (result as { content?: unknown } | null)?.content;
      if (isRecord(reply)) return reply;
      throw protocolError('its answer holds no reply');
    } catch (thrown) {
      // After a refused call the stream goes on; after anything else it is unknown what comes next on it.
      if (!(thrown instanceof RefusedCallError)) this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#broken = true;
    this.#stream.close();
  }

  async #request(message: Record<string, unknown>, id: number, deadlineMs: number): Promise<unknown> {
    const frame = frameOf(message, this.#options.limits.maxPythonFrameBytes);
    if (frame === undefined) throw tooLarge(this.#options.limits.maxPythonFrameBytes);
    this.#frames++;
    await this.#stream.send(frame);
    const answer = await answerOf(this.#stream, deadlineMs);
    if (isRecord(answer.error)) throw sessionError(answer.error);
    if (answer.id !== id) throw protocolError(`it answered to ${JSON.stringify(answer.id)} and was asked ${id}`);
    return answer.result;
  }
}

/** One line each way on a stream of the older protocol. */
export class LegacyCall implements Asking {
  readonly usable = false;
  readonly #stream: MessageStream;
  readonly #options: ClientSessionOptions;

  constructor(stream: Stream, options: ClientSessionOptions) {
    this.#options = options;
    this.#stream = messagesOf(stream, new LineReader(options.limits.maxPythonReplyBytes), options);
  }

  async ask(rpc: Rpc, deadlineMs: number): Promise<Rpc> {
    const { maxPythonFrameBytes } = this.#options.limits;
    const body = bodyOf(rpc, maxPythonFrameBytes - 1);
    if (body === undefined) throw tooLarge(maxPythonFrameBytes);
    try {
      await this.#stream.send(Buffer.concat([body, Buffer.from('\n')]));
      return await answerOf(this.#stream, deadlineMs);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#stream.close();
  }
}

/** The node understood the call and did not do it; the stream goes on. */
class RefusedCallError extends MeshError {}

function messagesOf(stream: Stream, reader: FrameReader | LineReader, { clock, limits }: ClientSessionOptions) {
  const { maxPythonReplyBytes: maxWaitingBytes, frameDeadlineMs: messageDeadlineMs } = limits;
  return new MessageStream(stream, { clock, reader, maxWaitingBytes, messageDeadlineMs });
}

async function answerOf(stream: MessageStream, deadlineMs: number): Promise<Rpc> {
  try {
    const body = await stream.next(deadlineMs);
    if (body === undefined)
      throw new MeshError(
        'peer_unreachable',
        'The Python node ended the stream before it answered; the work may or may not have been done.',
      );
    const { value, hazard } = parsePythonJson(body);
    if (hazard !== undefined) throw protocolError(hazard.message);
    if (isRecord(value)) return value;
    throw protocolError('its answer is no object');
  } catch (thrown) {
    if (thrown instanceof BrokenFrameError) throw protocolError(thrown.message);
    throw thrown;
  }
}

const stayOpen: readonly unknown[] = [-32002, -32601, -32602];

function sessionError({ code, message }: Record<string, unknown>): MeshError {
  const word = String(message).slice(0, 200);
  if (word === 'unauthorized') return unauthorized();
  if (word === 'rate_limited')
    return new MeshError('rate_limited', 'The Python node takes no more requests on this stream. Try again.');
  const text = `The Python node refused the call: ${word}.`;
  if (word === 'frame_too_large') return new MeshError('payload_too_large', text);
  return stayOpen.includes(code)
    ? new RefusedCallError('peer_protocol_error', text)
    : new MeshError('peer_protocol_error', text);
}

/** The node does not take the token that it is shown; other refusals may have the same code. */
export class RefusedTokenError extends MeshError {}

export function unauthorized(): MeshError {
  return new RefusedTokenError(
    'unauthorized',
    'The Python node does not accept the token. Put its own token into the file of --python-token-file.',
  );
}

function protocolError(why: string): MeshError {
  return new MeshError('peer_protocol_error', `The Python node’s answer cannot be used: ${why}`);
}

function tooLarge(maxBytes: number): MeshError {
  return new MeshError(
    'payload_too_large',
    `The request does not fit in a frame of ${maxBytes} bytes, which is what a Python node takes. Send less.`,
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
