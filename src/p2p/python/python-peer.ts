/** Asks one Python node: takes a stream that is free, or opens one; several at once carry several requests. */

import type { Stream } from '@libp2p/interface';
import type { CancelTimer, Clock } from '../../mesh/clock.ts';
import { isErrorCode, MeshError } from '../../mesh/errors.ts';
import type { Limits } from '../../mesh/limits.ts';
import { withDeadline } from '../with-deadline.ts';
import { type Asking, ClientSession, LegacyCall, RefusedTokenError, type Rpc, unauthorized } from './client-session.ts';
import { legacyProtocol, rpcArguments, sessionProtocol } from './messages.ts';
import type { PythonPlace } from './python-place.ts';

export interface PythonPeerOptions {
  readonly place: PythonPlace;
  readonly token: string | undefined;
  /** Whether to ask by the older protocol what does not speak the newer one. */
  readonly legacy: boolean;
  readonly clock: Clock;
  readonly limits: Limits;
}

export interface AskOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** A reply that came although the asker had given up. */
  readonly dropped?: ((reply: Rpc) => void) | undefined;
}

export class PythonPeer {
  readonly place: PythonPlace;
  readonly #options: PythonPeerOptions;
  readonly #free: Asking[] = [];
  #inUse = 0;
  #failedMs = Number.NEGATIVE_INFINITY;
  #cancelIdle: CancelTimer | undefined;
  #closed = false;

  constructor(options: PythonPeerOptions) {
    this.place = options.place;
    this.#options = options;
  }

  /**
   * The reply, when it is `ok` or `mayRefuse`. Nothing is asked twice. Rejects with the node's own refusal, `peer_unreachable`,
   * `timeout`, `cancelled`, `busy`, `peer_protocol_error`.
   */
  async ask(op: string, fields: Rpc, options: AskOptions, { mayRefuse = false } = {}): Promise<Rpc> {
    const { token, clock, limits } = this.#options;
    if (this.#inUse >= limits.maxPythonSessions) {
      throw new MeshError('busy', 'As many requests to this Python node are in flight as may be. Try again.');
    }
    this.#inUse++;
    const { dropped } = options;
    const rpc = rpcArguments(op, fields, token);
    const late = (): MeshError =>
      new MeshError('timeout', `The Python node did not answer within ${options.deadlineMs} ms.`);
    let asking: Asking | undefined;
    try {
      const reply = await withDeadline(
        { clock, deadlineMs: options.deadlineMs, signal: options.signal, ...(dropped ? { dropped } : {}) },
        async (stop) => {
          asking = this.#takeFree() ?? (await this.#open(stop));
          // A stream that is closed while it is waited for carries no other call; one that came too late is not used.
          if (stop.aborted) throw late();
          const reply = await asking.ask(rpc, options.deadlineMs + lateMs);
          this.#giveBack(asking);
          return reply;
        },
        late,
      );
      if (reply.ok !== true && !mayRefuse) throw refusalOf(reply);
      this.place.trouble = undefined;
      return reply;
    } catch (thrown) {
      if (thrown instanceof RefusedTokenError) this.place.trouble = thrown;
      // The claim of a caller who gave up is still waited for, so that its task can be given back.
      if (dropped === undefined) asking?.close();
      throw thrown;
    } finally {
      this.#inUse--;
    }
  }

  /** It could not be connected to a moment ago: who does not ask for this node in particular need not wait for it. */
  get isAway(): boolean {
    const { clock } = this.#options;
    return this.place.connection === undefined && clock.monotonicMs() - this.#failedMs < awayMs;
  }

  close(): void {
    this.#closed = true;
    this.#cancelIdle?.();
    for (const asking of this.#free.splice(0)) asking.close();
  }

  #takeFree(): Asking | undefined {
    for (let asking = this.#free.pop(); asking !== undefined; asking = this.#free.pop()) {
      if (asking.usable) return asking;
      asking.close();
    }
    return undefined;
  }

  #giveBack(asking: Asking): void {
    if (this.#closed || !asking.usable) {
      asking.close();
      return;
    }
    this.#free.push(asking);
    this.#cancelIdle?.();
    // Before the other side ends it for being idle: a call on a stream that is just ending would fail.
    this.#cancelIdle = this.#options.clock.setTimer(this.#options.limits.pythonIdleMs / 4, () => {
      for (const idle of this.#free.splice(0)) idle.close();
    });
  }

  async #open(signal: AbortSignal): Promise<Asking> {
    const { place, legacy, clock, limits } = this.#options;
    const connection = await place.connect().catch((thrown) => {
      this.#failedMs = clock.monotonicMs();
      throw thrown;
    });
    const protocols = legacy ? [sessionProtocol, legacyProtocol] : [sessionProtocol];
    let stream: Stream;
    try {
      stream = await connection.newStream(protocols, { signal });
    } catch (cause) {
      const unknown = (cause as Error).name === 'UnsupportedProtocolError';
      const why = unknown ? `does not speak ${protocols.join(' or ')}` : 'opened no stream';
      const hint = unknown && !legacy ? ' An older one may do with --python-legacy on.' : '';
      throw new MeshError(
        unknown ? 'peer_protocol_error' : 'peer_unreachable',
        `The node at ${place.text} ${why}.${hint}`,
        { cause },
      );
    }
    return stream.protocol === legacyProtocol
      ? new LegacyCall(stream, { clock, limits })
      : new ClientSession(stream, { clock, limits });
  }
}

/** How long a node that could not be connected to counts as away, in milliseconds. */
const awayMs = 10_000;

/** How long an answer is still waited for after its caller has given up, in milliseconds: a claim in it must be given back. */
const lateMs = 2_000;

/** What the node's own word is in ours; unknown ones become `peer_protocol_error`. */
const words: Readonly<Record<string, 'unknown_operation' | 'internal_error' | 'invalid_params' | 'unauthorized'>> = {
  unknown_op: 'unknown_operation',
  missing_tool_name: 'invalid_params',
  missing_key: 'invalid_params',
  cache_disabled: 'unauthorized',
};

export function refusalOf(reply: Rpc): MeshError {
  const word = typeof reply.error === 'string' ? reply.error.slice(0, 200) : 'no reason given';
  if (word === 'unauthorized') return unauthorized();
  const code = words[word] ?? (isErrorCode(word) && word !== 'internal_error' ? word : 'peer_protocol_error');
  const detail = typeof reply.detail === 'string' ? `: ${reply.detail.slice(0, 1000).replace(/\.$/, '')}` : '';
  return new MeshError(code, `The Python node refused it: ${word}${detail}.`);
}
