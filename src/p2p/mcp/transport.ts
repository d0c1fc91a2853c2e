/**
 * The carriage as a transport of the MCP SDKs: any client or server that they make can speak over a libp2p stream, and so be
 * reached by peer id. Used by programs through `mod.ts`; a node itself speaks over `Endpoint`.
 *
 * It keeps the carriage's bounds: size of frames, time for half a frame, requests in flight, bytes that wait for a slow reader.
 */

import type { Stream } from '@libp2p/interface';
import { type Clock, systemClock } from '../../mesh/clock.ts';
import { MeshError } from '../../mesh/errors.ts';
import { defaultLimits, type Limits } from '../../mesh/limits.ts';
import { failureOf, meshErrorOf } from '../../rpc/errors.ts';
import { cancelledMethod, kindOf, type RpcFailure, type RpcId, type RpcMessage } from '../../rpc/message.ts';
import { StreamChannel } from '../stream-channel.ts';

/** The bounds of one stream; each has the value that nodes use unless it is given. */
export type TransportLimits = Pick<
  Limits,
  'maxFrameBytes' | 'frameDeadlineMs' | 'maxBufferedBytes' | 'maxPeerServingBytes' | 'maxInFlight'
>;

export interface TransportOptions {
  limits?: Partial<TransportLimits>;
  clock?: Clock;
}

/**
 * What the SDKs call `Transport`. Its types are wider than theirs, so that it fits `@modelcontextprotocol/client`, `/server` and
 * `/sdk` alike.
 */
export interface McpTransport {
  start(): Promise<void>;
  send(message: object, options?: object): Promise<void>;
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: unknown, extra?: unknown) => void) | undefined;
}

/**
 * Makes a transport of a libp2p stream of protocol {@link mcpProtocol}, on either side of it.
 *
 * `send` rejects with a `MeshError`: `payload_too_large` for what does not fit in a frame, `busy` for a request while the far
 * side reads too slowly, `peer_unreachable` after the end. `onerror` gets why a stream ended that nobody closed:
 * `frame_too_large`, `invalid_json`, `invalid_message`, or libp2p's own error. When the far side ends its half, what it asked is
 * answered first.
 *
 * Source: MCP specification, revision 2026-07-28, "Transports", custom transports; docs/mcp-over-libp2p.md.
 *
 * @example A server, reached by peer id
 * ```ts
 * await host.handle(mcpProtocol, (stream) => {
 *   serveStdio(() => newServer(), { transport: libp2pTransport(stream) });
 * });
 * ```
 *
 * @example A client
 * ```ts
 * const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
 * await client.connect(libp2pTransport(await host.dialProtocol(address, mcpProtocol)));
 * ```
 */
export function libp2pTransport(stream: Stream, options: TransportOptions = {}): McpTransport {
  return new StreamTransport(stream, options);
}

class StreamTransport implements McpTransport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: unknown, extra?: unknown) => void) | undefined;
  readonly #channel: StreamChannel;
  readonly #limits: TransportLimits;
  /** Requests of the far side that are not answered yet; at most `maxInFlight`. */
  readonly #unanswered = new Set<RpcId>();
  /**
   * Answers that wait for the next turn of the event loop; undefined: none has to. The SDKs look at a notification later than at
   * an answer, and would drop the progress that came just before it.
   */
  #held: RpcMessage[] | undefined;
  /** The far side sends nothing more: the last answer ends the stream. */
  #ending = false;
  #started = false;
  #closed = false;

  constructor(stream: Stream, { limits, clock = systemClock }: TransportOptions) {
    this.#limits = { ...defaultLimits, ...limits };
    this.#channel = new StreamChannel(stream, {
      clock,
      limits: this.#limits,
      onHalfClosed: () => {
        this.#ending = true;
        this.#endIfAnswered();
      },
    });
  }

  async start(): Promise<void> {
    if (this.#started)
      throw new MeshError('wrong_state', 'The transport was started before; connect() does it by itself.');
    this.#started = true;
    this.#channel.open({
      message: (message) => this.#receive(message as RpcMessage),
      closed: (cause) => {
        if (this.#closed) return;
        this.#deliverHeld();
        this.#closed = true;
        this.#unanswered.clear();
        if (cause !== undefined) this.onerror?.(cause);
        this.onclose?.();
      },
    });
  }

  async send(sent: object): Promise<void> {
    const message = sent as RpcMessage;
    if (this.#closed) throw new MeshError('peer_unreachable', 'The stream to the peer has ended. Connect again.');
    const isRequest = kindOf(message) === 'request';
    if (isRequest && this.#channel.bufferedBytes > this.#limits.maxBufferedBytes) throw slowReader();
    this.#channel.post(message);
    if (!isRequest && 'id' in message && message.id !== null) this.#settled(message.id);
  }

  async close(): Promise<void> {
    this.#channel.close();
  }

  #receive(message: RpcMessage): void {
    const kind = kindOf(message);
    if (kind === 'response' && 'error' in message && message.id === null) {
      // The far side's last word: why it ends the stream.
      this.onerror?.(meshErrorOf(message.error));
      return;
    }
    if (kind === 'request' && 'id' in message && message.id !== null) {
      if (this.#unanswered.size >= this.#limits.maxInFlight) {
        this.#channel.post(tooMany(message.id, this.#limits.maxInFlight));
        return;
      }
      this.#unanswered.add(message.id);
    }
    if (kind === 'response' && this.#held !== undefined) this.#held.push(message);
    else this.onmessage?.(message);
    if (kind === 'notification' && this.#held === undefined) {
      this.#held = [];
      setImmediate(() => this.#deliverHeld());
    }
    // Servers of the SDKs give no answer to what was cancelled.
    if ('method' in message && message.method === cancelledMethod) {
      const id = message.params?.requestId as RpcId;
      this.#channel.dropped(id);
      this.#settled(id);
    }
  }

  #deliverHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.onmessage?.(message);
  }

  #settled(id: RpcId): void {
    if (this.#unanswered.delete(id)) this.#endIfAnswered();
  }

  #endIfAnswered(): void {
    if (this.#ending && this.#unanswered.size === 0) this.#channel.close();
  }
}

function slowReader(): MeshError {
  return new MeshError('busy', 'The peer reads more slowly than this side writes. Wait for answers, then try again.');
}

function tooMany(id: RpcId, maxInFlight: number): RpcFailure {
  const what = `${maxInFlight} requests of this stream are being worked on already. Wait for some of them, then try again.`;
  return { jsonrpc: '2.0', id, error: failureOf(new MeshError('busy', what)) };
}
