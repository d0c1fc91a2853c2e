/** Takes the streams that Python nodes open on the second host, and serves each by its protocol. */

import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { getLogger } from '@logtape/logtape';
import type { CancelTimer } from '../../mesh/clock.ts';
import type { Limits } from '../../mesh/limits.ts';
import { FrameReader } from '../../rpc/frames.ts';
import type { Asker } from './asker.ts';
import { hostOf } from './host.ts';
import { serveLegacyStream } from './legacy-stream.ts';
import { LineReader } from './line-reader.ts';
import { type MessageReader, MessageStream } from './message-stream.ts';
import { legacyProtocol, sessionProtocol } from './messages.ts';
import { type SessionParts, serveSession } from './session.ts';

const log = getLogger(['taskmesh', 'p2p', 'python']);

export interface ListenerOptions extends SessionParts {
  readonly host: Libp2p;
  readonly legacy: boolean;
  readonly limits: Limits;
}

export class PythonListener implements Disposable {
  readonly #options: ListenerOptions;
  /** Connections, each with the timer that ends it when nothing is asked on it. */
  readonly #idle = new Map<Connection, CancelTimer>();
  #serving = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { host, legacy, limits } = this.#options;
    const most = { maxInboundStreams: limits.maxPythonStreams };
    const take =
      (serve: typeof serveSession, reader: () => MessageReader) => (stream: Stream, connection: Connection) =>
        this.#take(stream, connection, serve, reader());
    await host.handle(
      sessionProtocol,
      take(serveSession, () => new FrameReader(limits.maxPythonFrameBytes)),
      most,
    );
    if (legacy)
      await host.handle(
        legacyProtocol,
        take(serveLegacyStream, () => new LineReader(limits.maxPythonFrameBytes)),
        most,
      );
    host.addEventListener('connection:open', this.#onOpen);
    host.addEventListener('connection:close', this.#onClose);
  }

  [Symbol.dispose](): void {
    const { host } = this.#options;
    host.removeEventListener('connection:open', this.#onOpen);
    host.removeEventListener('connection:close', this.#onClose);
    for (const cancel of this.#idle.values()) cancel();
    this.#idle.clear();
  }

  #take(stream: Stream, connection: Connection, serve: typeof serveSession, reader: MessageReader): void {
    const { clock, limits } = this.#options;
    if (this.#serving >= limits.maxPythonStreams) {
      stream.abort(new Error('as many streams are served as may be'));
      return;
    }
    this.#serving++;
    const asker: Asker = { peerId: connection.remotePeer.toString(), host: hostOf(connection.remoteAddr) };
    const { maxPythonFrameBytes: maxWaitingBytes, frameDeadlineMs: messageDeadlineMs } = limits;
    const messages = new MessageStream(stream, { clock, reader, maxWaitingBytes, messageDeadlineMs });
    serve(messages, asker, this.#options)
      .catch((error) => log.debug('A stream of a Python client ended: {error}', { error }))
      .finally(() => this.#serving--);
  }

  readonly #onOpen = ({ detail }: CustomEvent<Connection>): void => this.#watch(detail);

  readonly #onClose = ({ detail }: CustomEvent<Connection>): void => {
    this.#idle.get(detail)?.();
    this.#idle.delete(detail);
  };

  /** Ends a connection that came in and has no streams: whoever is not served must not keep others out. */
  #watch(connection: Connection): void {
    const { clock, limits } = this.#options;
    if (connection.direction !== 'inbound') return;
    const cancel = clock.setTimer(limits.pythonIdleMs, () => {
      if (connection.streams.length > 0) this.#watch(connection);
      else connection.close().catch((error: Error) => connection.abort(error));
    });
    this.#idle.set(connection, cancel);
  }
}
