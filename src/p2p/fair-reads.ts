/**
 * Noise, with reading in slices: what arrives at once is decrypted and handed on a part per turn of the event loop, so that it does
 * not keep others waiting. Without it a socket hands over megabytes in one turn.
 *
 * A slice is so many bytes and so long a time, whichever is used up first, for all connections of a peer together. Bytes tell little
 * of what they cost: in 64 KiB there can be one message or a thousand. So pieces are cut smaller where they turn out to be dear.
 * A connection that takes little time in all is read at once: whoever asks a few things must not stand in line with bulk for each.
 * What of a piece of the socket is not handed on waits here, and the socket is not read meanwhile. Used by both libp2p hosts.
 */

import { setImmediate } from 'node:timers';
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  StreamMessageEvent,
} from '@libp2p/interface';
import { inBulkTurn } from '../mesh/bulk-turns.ts';
import { type Clock, systemClock } from '../mesh/clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** Bytes that are read of one peer in one turn. */
const sliceBytes = 128 * 1024;

/** How long it may take to read them, with all that follows at once, in milliseconds. */
const sliceMs = 1;

/** How long reading a connection may take without a slice counting, in milliseconds: per second, and saved up. */
const [lightMsPerSecond, lightMs] = [150, 15];

/** What is handed on between two looks at the clock, in bytes. */
const [leastPiece, firstPiece, mostPiece] = [512, 8 * 1024, 64 * 1024];

export interface FairReadsOptions {
  /** Runs a slice in a turn of its own. */
  inTurn(slice: () => void): void;
  clock: Clock;
}

const ownLoop: FairReadsOptions = { inTurn: inBulkTurn, clock: systemClock };

/** Wraps what makes an encrypter. `options` are for tests. */
export function fairReads<Components>(
  create: (components: Components) => ConnectionEncrypter,
  options: FairReadsOptions = ownLoop,
): (components: Components) => ConnectionEncrypter {
  const turn = new Turn();
  return (components) => {
    const encrypter = create(components);
    const securing =
      (secure: ConnectionEncrypter['secureInbound']) =>
      async (connection: MessageStream, secureOptions?: SecureConnectionOptions) => {
        const reads = new SlicedReads(connection, options);
        const secured = await secure.call(encrypter, reads.wire, secureOptions);
        reads.begin(turn, String(secured.remotePeer));
        return secured;
      };
    return new Proxy(encrypter, {
      get(target, key) {
        if (key === 'secureInbound' || key === 'secureOutbound') return securing(target[key]);
        return ofTarget(target, key);
      },
    });
  };
}

/** How much of a slice was used. */
interface Use {
  bytes: number;
  ms: number;
}

/** What each peer has used up of the present turn. */
class Turn {
  readonly #used = new Map<string, Use>();

  of(peerId: string): Use {
    if (this.#used.size === 0) setImmediate(() => this.#used.clear());
    let used = this.#used.get(peerId);
    if (used === undefined) {
      used = { bytes: 0, ms: 0 };
      this.#used.set(peerId, used);
    }
    return used;
  }
}

/** What libp2p's streams have and their type does not say; `resume` throws on a stream that nothing can be read from any more. */
type Readable = MessageStream & { readonly readStatus?: 'readable' | 'paused' | 'closing' | 'closed' };
type Data = StreamMessageEvent['data'];
type Listener = (event: { data: Data }) => void;

class SlicedReads {
  /** The connection as the encrypter sees it: its messages come in slices. */
  readonly wire: MessageStream;
  readonly #connection: Readable;
  readonly #options: FairReadsOptions;
  readonly #wrapped = new Map<Listener, Listener>();
  /** Undefined during the handshake, which is not sliced. */
  #used: (() => Use) | undefined;
  /** What was read and not handed on: one piece of the socket, and what comes although it is paused. */
  #waiting: Data[] = [];
  #listener: Listener = () => {};
  readonly #light: TokenBucket;
  #pieceBytes = firstPiece;
  #scheduled = false;

  constructor(connection: MessageStream, options: FairReadsOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#light = new TokenBucket(lightMsPerSecond, lightMs, options.clock);
    // Before the encrypter's own: what came before the end is to be read before it.
    connection.addEventListener('close', ({ error }) => this.#end(error === undefined));
    this.wire = new Proxy(connection, {
      get: (target, key) => {
        if (key !== 'addEventListener' && key !== 'removeEventListener') return ofTarget(target, key);
        return (type: string, listener: never, more?: object) =>
          target[key](type as 'message', type === 'message' ? (this.#wrap(listener) as never) : listener, more);
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    });
  }

  /** The handshake is over. */
  begin(turn: Turn, peerId: string): void {
    this.#used = () => turn.of(peerId);
  }

  #wrap(listener: Listener): Listener {
    let wrapped = this.#wrapped.get(listener);
    if (wrapped === undefined) {
      wrapped = (event) => {
        if (this.#used === undefined) {
          listener(event);
          return;
        }
        this.#listener = listener;
        this.#waiting.push(event.data);
        if (!this.#scheduled) this.#handOn(this.#used());
      };
      this.#wrapped.set(listener, wrapped);
    }
    return wrapped;
  }

  #handOn(used: Use): void {
    const isOver = (): boolean => used.bytes >= sliceBytes || (used.ms >= sliceMs && this.#light.debtMs > 0);
    for (let next = this.#waiting[0]; next !== undefined && !isOver(); next = this.#waiting[0]) {
      const bytes = Math.min(this.#pieceBytes, next.byteLength);
      if (bytes === next.byteLength) this.#waiting.shift();
      else this.#waiting[0] = part(next, bytes, next.byteLength);
      this.#give(part(next, 0, bytes), used);
    }
    if (this.#waiting.length > 0 || isOver()) this.#readLater();
  }

  #give(data: Data, used: Use): void {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    this.#listener({ data });
    const tookMs = clock.monotonicMs() - beganMs;
    used.bytes += data.byteLength;
    used.ms += tookMs;
    this.#light.spend(tookMs);
    if (tookMs > sliceMs / 2) this.#pieceBytes = Math.max(leastPiece, this.#pieceBytes / 2);
    else if (tookMs < sliceMs / 8) this.#pieceBytes = Math.min(mostPiece, this.#pieceBytes * 2);
  }

  #readLater(): void {
    const connection = this.#connection;
    if (connection.readStatus === 'readable') connection.pause();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.inTurn(() => {
      this.#scheduled = false;
      this.#handOn({ bytes: 0, ms: 0 });
      if (!this.#scheduled && connection.readStatus === 'paused') connection.resume();
    });
  }

  /** What came before a proper end counts; what came before a break does not. */
  #end(proper: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (proper) for (const data of waiting) this.#listener({ data });
  }
}

function part(data: Data, from: number, to: number): Data {
  if (from === 0 && to === data.byteLength) return data;
  return data instanceof Uint8Array ? data.subarray(from, to) : data.sublist(from, to);
}

/** A property as the target itself has it: its methods look at fields that a proxy does not have. A logger is a function too. */
function ofTarget(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' && !Object.hasOwn(target, key) ? value.bind(target) : value;
}
